"""Types of the compiled module; the names users import are those of ``gapless``."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar, final, overload

import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

from gapless._types import BookInfo, Parity, SourceStatus

__version__: str

_Numbers: TypeAlias = Literal["float", "decimal", "int"]
_Verdict: TypeAlias = Literal[
    "apply",
    "replace",
    "heartbeat",
    "stale",
    "hold",
    "ignore",
    "backwards",
    "gap",
    "snapshot_too_old",
    "restart",
    "other",
]
_State: TypeAlias = Literal["syncing", "live", "stale", "failed"]
_N = TypeVar("_N", float, Decimal, int)
_Floats: TypeAlias = tuple[float, float]
_Decimals: TypeAlias = tuple[Decimal, Decimal]
_Ints: TypeAlias = tuple[int, int]

class GaplessError(Exception):
    """Base of every error of this module."""

class NotLiveError(GaplessError):
    """The book is not proven to be the venue's book now; the text says its state and why."""

class FrameError(GaplessError):
    """A frame cannot be read; the text says what is wrong and at which byte."""

class InputError(GaplessError):
    """A recording cannot be read; the text says file, line, what is wrong and what to do."""

class ScaleError(GaplessError):
    """A value does not fit integers of its column's scale; the text says which and what to ask."""

class EngineError(GaplessError):
    """An engine cannot be made, started or asked so; the text says what is wrong."""

class ClosedError(GaplessError):
    """The object was closed; open another one."""

@final
class Book(Generic[_N]):
    """The book of one symbol, fed with the raw frames of its connection.

    Levels are pairs ``(price, size)``; sizes are in the venue's unit (base currency or contracts).
    ``numbers`` says how both are shown: ``"float"`` (nearest), ``"decimal"`` (exact) or ``"int"``
    (exact, at ``price_scale`` and ``size_scale`` decimals). One thread at a time may use it.
    """

    @overload
    def __new__(
        cls,
        venue: str,
        symbol: str,
        /,
        *,
        channel: str | None = None,
        numbers: Literal["float"] = "float",
    ) -> Book[float]: ...
    @overload
    def __new__(
        cls, venue: str, symbol: str, /, *, channel: str | None = None, numbers: Literal["decimal"]
    ) -> Book[Decimal]: ...
    @overload
    def __new__(
        cls, venue: str, symbol: str, /, *, channel: str | None = None, numbers: Literal["int"]
    ) -> Book[int]: ...
    def apply(self, frame: bytes | bytearray | str, /, *, recv_ns: int = 0) -> _Verdict:
        """Reads one frame as it came from the socket; the verdict on its last message of this book.

        ``"other"``: it carried nothing of this book. ``"gap"``: messages are missing, the book is
        not live until a snapshot; ``gap`` has the numbers. ``recv_ns``: when it was received, ns
        since the epoch. Raises FrameError for bytes that cannot be read; where they may have been
        this book's, it is not live.
        """
    def snapshot(
        self, body: bytes | bytearray | str, /, *, url: str | None = None, recv_ns: int = 0
    ) -> _Verdict:
        """Takes the body of the venue's REST snapshot, fetched from ``url``.

        Without ``url`` it is taken for the snapshot of this symbol. Raises as ``apply``.
        """
    def disconnect(self) -> None:
        """The connection was lost: the book is not live until a snapshot of the next one."""
    @property
    def venue(self) -> str:
        """Name of the venue, one of ``venues()``."""
    @property
    def symbol(self) -> str:
        """The venue's symbol."""
    @property
    def channel(self) -> str | None:
        """Channel of the book; None until it is known."""
    @property
    def state(self) -> _State:
        """``"live"`` only while the venue's own numbering proves that nothing is missing."""
    @property
    def reason(self) -> str:
        """Why it is not live; ``"none"`` if it is."""
    @property
    def is_live(self) -> bool:
        """Whether ``state`` is ``"live"``."""
    @property
    def integrity(self) -> Literal["full", "weak"] | None:
        """How well continuity is proven: ``"weak"`` where messages carry no sequence."""
    @property
    def seq(self) -> int | None:
        """The venue's number of the last accepted message."""
    @property
    def epoch(self) -> int:
        """Counts the snapshots that replaced the book."""
    @property
    def gap(self) -> tuple[int, int] | None:
        """Number that should have come and number that came, at the last gap."""
    @property
    def price_scale(self) -> int:
        """Decimals of the book's integer prices, 0 to 18."""
    @property
    def size_scale(self) -> int:
        """Decimals of the book's integer sizes, 0 to 18."""
    @property
    def counters(self) -> dict[str, int]:
        """What happened so far: applied, gaps, duplicates, resyncs and so on."""
    @property
    def best_bid(self) -> tuple[_N, _N] | None:
        """Highest bid; None where there is none. Raises NotLiveError."""
    @property
    def best_ask(self) -> tuple[_N, _N] | None:
        """Lowest ask; None where there is none. Raises NotLiveError."""
    @overload
    def top(
        self, *, numbers: None = None, last_known: bool = False
    ) -> tuple[tuple[_N, _N] | None, tuple[_N, _N] | None]: ...
    @overload
    def top(
        self, *, numbers: Literal["float"], last_known: bool = False
    ) -> tuple[_Floats | None, _Floats | None]: ...
    @overload
    def top(
        self, *, numbers: Literal["decimal"], last_known: bool = False
    ) -> tuple[_Decimals | None, _Decimals | None]: ...
    @overload
    def top(
        self, *, numbers: Literal["int"], last_known: bool = False
    ) -> tuple[_Ints | None, _Ints | None]:
        """Best bid and best ask.

        ``last_known``: the levels as they stand, whatever the state; else NotLiveError is raised
        for a book that is not live.
        """
    @overload
    def depth(
        self, n: int, /, *, numbers: None = None, last_known: bool = False
    ) -> tuple[list[tuple[_N, _N]], list[tuple[_N, _N]]]: ...
    @overload
    def depth(
        self, n: int, /, *, numbers: Literal["float"], last_known: bool = False
    ) -> tuple[list[_Floats], list[_Floats]]: ...
    @overload
    def depth(
        self, n: int, /, *, numbers: Literal["decimal"], last_known: bool = False
    ) -> tuple[list[_Decimals], list[_Decimals]]: ...
    @overload
    def depth(
        self, n: int, /, *, numbers: Literal["int"], last_known: bool = False
    ) -> tuple[list[_Ints], list[_Ints]]:
        """The best ``n`` levels of each side, best first, bids then asks. Raises as ``top``."""
    def depth_into(
        self, out: npt.NDArray[np.float64] | npt.NDArray[np.int64], /, *, last_known: bool = False
    ) -> tuple[int, int]:
        """Writes the best ``n`` levels into ``out``; returns how many bids and asks there were.

        ``out``: C-contiguous array of shape (2, n, 2): side (bid, ask), level, (price, size);
        float64, or int64 for the scaled integers. Places without a level are NaN, or 0.
        No level becomes an object. Raises TypeError for any other array, else as ``top``.
        """
    def sha256(self) -> str | None:
        """SHA-256 of the canonical text of the levels as they stand, in hexadecimal."""
    def _repr_html_(self) -> str: ...
    def __reduce__(self) -> Any: ...

@final
class Table:
    """Immutable rows of one kind, as columns.

    Arrow reads them without a copy (``pl.DataFrame``, ``pa.table``, ``pa.record_batch``, duckdb),
    and so does numpy column by column: ``table["bid_price"]`` is a read-only view. In Arrow, times
    are ``timestamp[ns, UTC]``, words dictionaries, absent values null; numpy sees times as int64
    ns, words as int32 codes into ``categories``, absent integers as the smallest int64. May be
    used from any thread, pickled and copied.
    """

    @property
    def kind(self) -> str:
        """``"books"``, ``"deltas"``, ``"trades"``, ``"liquidations"``, ``"funding"``, ``"states"``."""
    def __len__(self) -> int: ...
    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
    def scale(self, name: str) -> int | None:
        """Decimals of a column of integer prices or sizes; None for another. Raises KeyError."""
    def unit(self, name: str) -> str | None:
        """Unit of a column; None where it has none. Raises KeyError."""
    def categories(self, name: str) -> list[str]:
        """The words behind the codes of a column. Raises TypeError for a column without words."""
    def __getitem__(self, name: str, /) -> npt.NDArray[Any]:
        """A column in place: read-only int64, float64 or int32 (codes), shape (rows,).

        Raises KeyError; TypeError for text and decimal128, which only Arrow has.
        """
    def to_numpy(self) -> npt.NDArray[np.void]:
        """The rows as a read-only structured array, shape (rows,), packed, little-endian.

        The columns are written side by side once; text and decimal128 are left out.
        """
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Batches:
    """The batches of ``gapless.replay``, read ahead by threads of their own.

    An iterator of ``Table``s and, where they are of one kind, an Arrow stream of those that are
    left; who is given that has them all, and Ctrl-C ends it only when they are read. Else waiting
    can be interrupted, and releases the interpreter. Several threads may take batches, each other
    ones; ``close()``, leaving the ``with`` block or forgetting it ends the threads.
    """

    def __iter__(self) -> Iterator[Table]: ...
    def __next__(self) -> Table:
        """Raises InputError, ScaleError; ClosedError after ``close()``."""
    @property
    def progress(self) -> tuple[int, int | None]:
        """Bytes read so far and bytes in all (None if not known), as they stand in the files."""
    @property
    def skipped(self) -> list[str]:
        """What could not be read and was passed over, with ``errors="warn"``."""
    def close(self) -> None:
        """Ends the threads; nothing more can be taken."""
    def __enter__(self) -> Batches: ...
    def __exit__(self, *_error: object) -> None: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class Reader(Generic[_N]):
    """Reads one book of an engine while its writer changes it, from any thread.

    Never waits for the writer, nor makes it wait. Once the engine has stopped or its process died,
    the book is ``"stale"``. Levels are pairs as of ``Book``.
    """

    @property
    def name(self) -> str:
        """``venue[.market]:SYMBOL``."""
    @property
    def state(self) -> _State:
        """State at this moment."""
    @property
    def reason(self) -> str:
        """Why it is not live; ``"none"`` if it is."""
    @property
    def is_live(self) -> bool:
        """Whether ``state`` is ``"live"``."""
    @property
    def seq(self) -> int | None:
        """The venue's number of the last accepted message."""
    @property
    def recv_ns(self) -> int | None:
        """When that was received, ns since the epoch."""
    @property
    def venue_ns(self) -> int | None:
        """When the venue published it, ns since the epoch."""
    @property
    def age_ns(self) -> int:
        """Time since the writer's last sign of life, ns."""
    @property
    def version(self) -> int:
        """Changes with every publication."""
    @property
    def price_scale(self) -> int:
        """Decimals of the book's integer prices."""
    @property
    def size_scale(self) -> int:
        """Decimals of the book's integer sizes."""
    @property
    def best_bid(self) -> tuple[_N, _N] | None:
        """Highest bid; None where there is none. Raises NotLiveError."""
    @property
    def best_ask(self) -> tuple[_N, _N] | None:
        """Lowest ask; None where there is none. Raises NotLiveError."""
    def top(
        self,
        *,
        numbers: Literal["float", "decimal", "int"] | None = None,
        last_known: bool = False,
    ) -> tuple[tuple[Any, Any] | None, tuple[Any, Any] | None]:
        """Best bid and best ask of one publication; ``last_known``: whatever the state."""
    def depth(
        self,
        n: int,
        /,
        *,
        numbers: Literal["float", "decimal", "int"] | None = None,
        last_known: bool = False,
    ) -> tuple[list[tuple[Any, Any]], list[tuple[Any, Any]]]:
        """The best ``n`` levels of each side, best first, or as many as are published."""
    def wait(self, seen: int, /, timeout: float = 1.0) -> int | None:
        """Waits until ``version`` is another than ``seen``; None after ``timeout`` seconds."""
    def __reduce__(self) -> Any: ...

@disjoint_base
class Event:
    """What every event has. Events are plain values; any thread may keep them."""

    @property
    def topic(self) -> Literal["trades", "liquidations", "funding", "states", "updates"]:
        """What it is about."""
    @property
    def instrument(self) -> str:
        """``VENUE[.MARKET]:SYMBOL``."""
    @property
    def number(self) -> int:
        """Counts what a thread of the engine had for this receiver; a hole is what it lost."""
    @property
    def recv_ns(self) -> int | None:
        """When its message was received, ns since the epoch."""
    @property
    def venue_ns(self) -> int | None:
        """When the venue published it, ns since the epoch."""
    @property
    def flags(self) -> int:
        """Marks, a sum: 1 made by a recorder, 2 off the book, 4 block trade, 8 retail price
        improvement, 16 from before the subscription, 32 last of its message, 64 by HTTP."""
    def __reduce__(self) -> Any: ...

@final
class Trade(Event, Generic[_N]):
    """A trade. Sizes are in the venue's unit (base currency or contracts)."""

    @property
    def price(self) -> _N:
        """Price."""
    @property
    def size(self) -> _N:
        """Size."""
    @property
    def side(self) -> Literal["buy", "sell"] | None:
        """Side of the taker, where it is said."""
    @property
    def id(self) -> str | None:
        """The venue's id, its first 40 bytes."""
    @property
    def seq(self) -> int | None:
        """Sequence of the trade, where the venue counts them."""
    @property
    def aggregate(self) -> tuple[int, int] | None:
        """First and last trade id of an aggregate."""
    @property
    def count(self) -> int | None:
        """Fills in an aggregate."""
    @property
    def score(self) -> _N | None:
        """A score that a relay attached, 0..1."""

@final
class Liquidation(Event, Generic[_N]):
    """A forced closing."""

    @property
    def price(self) -> _N:
        """Order or bankruptcy price."""
    @property
    def size(self) -> _N:
        """Original size."""
    @property
    def filled(self) -> _N | None:
        """Size filled so far."""
    @property
    def average_price(self) -> _N | None:
        """Average price of the fills."""
    @property
    def size_usd(self) -> _N | None:
        """Value in USD."""
    @property
    def side(self) -> Literal["buy", "sell"] | None:
        """Side of the order: ``"sell"`` closes a long."""
    @property
    def id(self) -> str | None:
        """The venue's id, its first 40 bytes."""
    @property
    def sampled(self) -> bool:
        """The venue publishes a sample, not every liquidation."""

@final
class Funding(Event, Generic[_N]):
    """What one message said of funding and reference prices; None is what it did not say."""

    @property
    def last(self) -> _N | None:
        """Price of the last trade."""
    @property
    def mark(self) -> _N | None:
        """Mark price."""
    @property
    def index(self) -> _N | None:
        """Index price."""
    @property
    def settle(self) -> _N | None:
        """Estimated settlement price."""
    @property
    def open_interest(self) -> _N | None:
        """Open interest in the venue's unit."""
    @property
    def funding_rate(self) -> _N | None:
        """Funding rate of the interval; 1 is 100 %."""
    @property
    def predicted_funding(self) -> _N | None:
        """Predicted funding rate."""
    @property
    def funding_time_ns(self) -> int | None:
        """When funding is next paid, ns since the epoch."""

@final
class BookChange(Event):
    """A published book has another state (``"states"``), or changed at all (``"updates"``)."""

    @property
    def book(self) -> str:
        """The book's full name, which ``Engine.book`` takes."""
    @property
    def state(self) -> _State:
        """What may be thought of it."""
    @property
    def reason(self) -> str:
        """Why it is not live; ``"none"`` if it is."""
    @property
    def epoch(self) -> int:
        """Counts the snapshots that replaced it."""
    @property
    def seq(self) -> int | None:
        """The venue's number of its last message."""

@final
class _Subscription:
    def next(self, timeout: float) -> list[Event] | None: ...
    def counts(self) -> tuple[int, int, int]: ...
    def close(self) -> None: ...

@final
class _Engine:
    def __new__(cls, config: str) -> _Engine: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def join(self, timeout: float | None) -> bool: ...
    def books(self) -> list[BookInfo]: ...
    def status(self) -> list[SourceStatus]: ...
    def book(self, name: str, timeout: float, numbers: str) -> Reader[Any]: ...
    def add(self, name: str) -> None: ...
    def remove(self, name: str) -> None: ...
    def subscribe(
        self,
        topics: Sequence[str],
        names: Sequence[str] | None,
        capacity: int,
        slow: str,
        numbers: str,
    ) -> _Subscription: ...
    def close(self) -> None: ...

def venues() -> list[str]:
    """Names of the venues and dialects that frames and recordings may be of."""

def run_command(words: Sequence[str]) -> int: ...
def _read_time(text: str) -> int: ...
def _table_from_ipc(kind: str, bytes: bytes) -> Table: ...
def _extract(
    kind: str, paths: Sequence[str], words: dict[str, Any]
) -> tuple[Table, list[str]]: ...
def _batches(kinds: Sequence[str], paths: Sequence[str], words: dict[str, Any]) -> Batches: ...
def _to_parquet(
    kinds: Sequence[str], paths: Sequence[str], folder: str, name: str, words: dict[str, Any]
) -> tuple[list[tuple[Path, int]], list[str]]: ...
def _cleansing(
    times: npt.NDArray[np.int64],
    sells: npt.NDArray[np.bool_],
    window_ns: int,
    min_count: int,
    min_same_side: int,
) -> tuple[npt.NDArray[np.int64], list[tuple[int, int, int, int]], dict[str, float]]: ...
def _times_and_sells(
    table: Table, time: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]: ...
def _anomalies(table: Table, window: int, min_trades: int) -> npt.NDArray[np.float64]: ...
def _parity(left: Table, right: Table) -> Parity: ...
def _attach(book: str, folder: str, numbers: str) -> Reader[Any]: ...
def _shared(folder: str) -> list[str]: ...
