"""Types of the compiled module; the names users import are those of ``gapless``."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Generic, Literal, TypeAlias, TypeVar, final, overload

import numpy as np
import numpy.typing as npt

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
        Allocates nothing. Raises TypeError for any other array, else as ``top``.
        """
    def sha256(self) -> str | None:
        """SHA-256 of the canonical text of the levels as they stand, in hexadecimal."""
    def _repr_html_(self) -> str: ...
    def __reduce__(self) -> Any: ...

def venues() -> list[str]:
    """Names of the venues and dialects that frames and recordings may be of."""

def run_command(words: Sequence[str]) -> int: ...
