"""Recordings as tables: the arguments of the extracts, checked and passed on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from gapless import _gapless
from gapless._gapless import Batches, Table

if TYPE_CHECKING:
    from pathlib import Path

Paths: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"
Time: TypeAlias = "int | str | datetime"
Numbers: TypeAlias = Literal["int", "float", "decimal"]
Progress: TypeAlias = "bool | Callable[[int, int | None], object]"
Features: TypeAlias = "Iterable[str] | Mapping[str, str]"
Kind: TypeAlias = Literal["books", "deltas", "trades", "liquidations", "funding", "states"]

KINDS: tuple[Kind, ...] = ("deltas", "trades", "liquidations", "funding", "states")


def books(
    paths: Paths,
    /,
    *,
    depth: int = 1,
    on: str = "change",
    features: Features = (),
    symbols: str | Iterable[str] = (),
    start: Time | None = None,
    end: Time | None = None,
    numbers: Numbers = "int",
    venue: str | None = None,
    progress: Progress = False,
    threads: int = 0,
    errors: Literal["raise", "warn"] = "raise",
) -> Table:
    """The best ``depth`` levels of every book, one row whenever they change.

    Columns: ``recv_ns, venue_ns, venue, symbol, venue_channel, source, input, seq, live``, then
    ``bid_price, bid_size, ask_price, ask_size`` (``bid_price_0`` … for ``depth`` > 1), then the
    features. A book that stops being live gets a row with ``live`` 0 and no levels, so that no join
    carries it over a gap.

    ``on``: ``"change"``; ``"trade"``, a row before every trade of the same venue and symbol; or an
    interval like ``"100ms"``, rows at its multiples (UTC) as the books were then.

    ``features``: expressions, or a mapping of column names to expressions; float columns whose
    formulas and units ``gapless.features`` has.

    ``numbers``: prices and sizes as exact integers at ``Table.scale(column)`` decimals, the nearest
    floats, or exact ``decimal128``. ``start``, ``end``: rows received from ``start`` on, before
    ``end``; ns since the epoch, RFC 3339 or a datetime with a time zone. ``venue``: of inputs that
    do not tell theirs. ``progress``: True shows a bar (needs tqdm), or is called with (bytes read,
    bytes in all or None). ``threads``: 0 is one for each core. ``errors``: what cannot be read
    raises InputError, or is passed over with a warning.

    Rows are in order of receive time. Raises InputError, ScaleError, ValueError.
    """
    return _table("books", paths, **_words(locals()))


def deltas(
    paths: Paths,
    /,
    *,
    symbols: str | Iterable[str] = (),
    start: Time | None = None,
    end: Time | None = None,
    numbers: Numbers = "int",
    venue: str | None = None,
    progress: Progress = False,
    threads: int = 0,
    errors: Literal["raise", "warn"] = "raise",
) -> Table:
    """Every change of a level of a live book.

    Columns: those of ``books`` up to ``seq``, then ``kind``: ``"snapshot"`` (the rows of the
    message are the whole book), ``"delta"``, or ``"void"`` (one row without levels: the book is
    not live from here); ``side``, ``price``, ``size`` (what now rests there; 0 = nothing), and
    ``last`` (1 on the last row of a message: only there the book is whole). Arguments as of
    ``books``.
    """
    return _table("deltas", paths, **_words(locals()))


def trades(
    paths: Paths,
    /,
    *,
    symbols: str | Iterable[str] = (),
    start: Time | None = None,
    end: Time | None = None,
    numbers: Numbers = "int",
    venue: str | None = None,
    progress: Progress = False,
    threads: int = 0,
    errors: Literal["raise", "warn"] = "raise",
) -> Table:
    """Every trade: ``side`` of the taker, ``price``, ``size``, fills of an aggregate (``count``),
    ``flags`` and ``id``. Arguments as of ``books``.
    """
    return _table("trades", paths, **_words(locals()))


def liquidations(
    paths: Paths,
    /,
    *,
    symbols: str | Iterable[str] = (),
    start: Time | None = None,
    end: Time | None = None,
    numbers: Numbers = "int",
    venue: str | None = None,
    progress: Progress = False,
    threads: int = 0,
    errors: Literal["raise", "warn"] = "raise",
) -> Table:
    """Every liquidation: ``side`` of the order (``"sell"`` closes a long), ``price``, ``size``,
    ``filled``, ``average_price``, whether the venue publishes a sample only (``sampled``),
    ``flags`` and ``id``. Arguments as of ``books``.
    """
    return _table("liquidations", paths, **_words(locals()))


def funding(
    paths: Paths,
    /,
    *,
    symbols: str | Iterable[str] = (),
    start: Time | None = None,
    end: Time | None = None,
    numbers: Numbers = "int",
    venue: str | None = None,
    progress: Progress = False,
    threads: int = 0,
    errors: Literal["raise", "warn"] = "raise",
) -> Table:
    """What each message said of ``last``, ``mark``, ``index``, ``settle``, ``open_interest``,
    ``funding_rate``, ``predicted_funding`` and ``funding_time_ns``; what it did not say is null.
    Arguments as of ``books``.
    """
    return _table("funding", paths, **_words(locals()))


def states(
    paths: Paths,
    /,
    *,
    symbols: str | Iterable[str] = (),
    start: Time | None = None,
    end: Time | None = None,
    venue: str | None = None,
    progress: Progress = False,
    threads: int = 0,
    errors: Literal["raise", "warn"] = "raise",
) -> Table:
    """Every change of a book's state: ``change`` (``"invalidated"``, ``"reset"``, ``"live"``,
    ``"none"``), the ``verdict`` on the message, ``state``, ``reason``, and at a gap the number that
    was ``expected`` and the one that was ``got``. Arguments as of ``books``.
    """
    return _table("states", paths, **_words(locals()))


def replay(
    paths: Paths,
    /,
    *,
    kinds: Kind | Iterable[Kind] = KINDS,
    symbols: str | Iterable[str] = (),
    start: Time | None = None,
    end: Time | None = None,
    depth: int = 1,
    on: str = "change",
    features: Features = (),
    numbers: Numbers = "int",
    price_scale: int | None = None,
    size_scale: int | None = None,
    venue: str | None = None,
    batch_rows: int = 65_536,
    ordered: bool = True,
    progress: Progress = False,
    threads: int = 0,
    errors: Literal["raise", "warn"] = "raise",
) -> Batches:
    """Replays recordings on threads of their own and gives their rows in immutable batches.

    Each batch is a ``Table`` of one of ``kinds``, of ``batch_rows`` rows or somewhat more; memory
    is bounded by them, whatever the size of the inputs. ``ordered``: batches of a kind are in order
    of receive time over all inputs, on one thread; False is faster for several files: every core
    reads files of its own, and only the batches of one file are in its order.

    All batches of a kind have one schema. Integers take the scale of the first batch; a later value
    with more decimals raises ScaleError, unless ``price_scale`` and ``size_scale`` said more.

    ``for batch in gapless.replay(...)``; batches of one kind are an Arrow stream too
    (``pl.DataFrame``, ``pa.table``, duckdb). Other arguments as of ``books``.
    """
    words = _words(locals())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if words["progress"] is True:
        # It closes itself when the iterator is forgotten, which may be half way.
        words["progress"] = _report(_tqdm())
    words["progress"] = words["progress"] or None
    return _gapless._batches(kinds, _paths(paths), _given(words))


def to_parquet(
    paths: Paths,
    folder: str | os.PathLike[str],
    /,
    *,
    kinds: Kind | Iterable[Kind] = KINDS,
    name: str = "part",
    symbols: str | Iterable[str] = (),
    start: Time | None = None,
    end: Time | None = None,
    depth: int = 1,
    on: str = "change",
    features: Features = (),
    numbers: Numbers = "int",
    price_scale: int | None = None,
    size_scale: int | None = None,
    venue: str | None = None,
    batch_rows: int = 65_536,
    progress: Progress = False,
    errors: Literal["raise", "warn"] = "raise",
) -> list[tuple[Path, int]]:
    """Writes extracts as Parquet (zstd): ``venue=V/channel=KIND/date=D/symbol=S/NAME-N.parquet``.

    Returns path and rows of each file. Files appear when they are whole; writing the same again
    replaces them. ``name`` tells apart what is written into one data set by several callers. Rows
    are in order of receive time; the path says venue and symbol, the file has the other columns.
    Other arguments as of ``replay``. Raises OSError for what cannot be written.
    """
    words = _words(locals())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    with _bar(words["progress"]) as report:
        words["progress"] = report
        return _gapless._to_parquet(kinds, _paths(paths), os.fspath(folder), name, _given(words))


def _table(kind: str, paths: Paths, **words: Any) -> Table:
    with _bar(words["progress"]) as report:
        words["progress"] = report
        table, skipped = _gapless._extract(kind, _paths(paths), _given(words))
    for error in skipped:
        warnings.warn(error, RuntimeWarning, stacklevel=3)
    return table


def _words(words: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a public function as the compiled module takes them."""
    words = {name: value for name, value in words.items() if name not in ("paths", "kinds")}
    for unused in ("folder", "name"):
        words.pop(unused, None)
    symbols = words["symbols"]
    words["symbols"] = [symbols] if isinstance(symbols, str) else list(symbols)
    words["start"], words["end"] = _time(words["start"]), _time(words["end"])
    features = words.get("features", ())
    if isinstance(features, Mapping):
        words["features"] = list(features.items())
    else:
        words["features"] = [(expression, expression) for expression in features]
    errors = words.pop("errors")
    if errors not in ("raise", "warn"):
        raise ValueError(f"errors must be 'raise' or 'warn', not {errors!r}")
    words["skip_errors"] = errors == "warn"
    return words


def _given(words: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in words.items() if value is not None}


def _paths(paths: Paths) -> list[str]:
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    return [os.fspath(path) for path in paths]


def _time(time: Time | None) -> int | None:
    if time is None or (isinstance(time, int) and not isinstance(time, bool)):
        return time
    if isinstance(time, str):
        return _gapless._read_time(time)
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"{time!r} has no time zone; say which, e.g. tzinfo=timezone.utc")
        since = time - datetime(1970, 1, 1, tzinfo=timezone.utc)
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
    raise TypeError(f"a time must be int, str or datetime, not {type(time).__name__}")


@contextmanager
def _bar(progress: Progress) -> Iterator[Callable[[int, int | None], object] | None]:
    """What the compiled module calls with the bytes read; a bar is closed at the end."""
    if not progress:
        yield None
        return
    if callable(progress):
        yield progress
        return
    with _tqdm() as bar:
        yield _report(bar)


def _tqdm() -> Any:
    # By name: its types are a package of their own, which nobody should need.
    return import_module("tqdm.auto").tqdm(unit="B", unit_scale=True)


def _report(bar: Any) -> Callable[[int, int | None], object]:
    def report(read: int, total: int | None) -> None:
        bar.total = total
        bar.update(read - bar.n)

    return report


__all__: Sequence[str] = [
    "books",
    "deltas",
    "funding",
    "liquidations",
    "replay",
    "states",
    "to_parquet",
    "trades",
]
