"""Recordings as tables: the words of the extracts, checked and passed on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from gapless import _gapless
from gapless._gapless import Batches, Table

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Unpack

Paths: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"
Time: TypeAlias = "int | str | datetime"
Numbers: TypeAlias = Literal["int", "float", "decimal"]
Progress: TypeAlias = "bool | Callable[[int, int | None], object]"
Features: TypeAlias = "Iterable[str] | Mapping[str, str]"
Kind: TypeAlias = Literal["books", "deltas", "trades", "liquidations", "funding", "states"]

KINDS: tuple[Kind, ...] = ("deltas", "trades", "liquidations", "funding", "states")


class Cut(TypedDict, total=False):
    """What of the recordings is read, and how.

    ``symbols``: the venue's own, one or several; none: all. ``start``, ``end``: rows received from
    ``start`` on, before ``end``; ns since the epoch, RFC 3339 or a datetime with a time zone.
    ``venue``: of inputs that do not tell theirs. ``progress``: True shows a bar (needs tqdm), or is
    called with (bytes read, bytes in all or None). ``threads``: 0 is one for each core. ``errors``:
    what cannot be read raises InputError, or is passed over with a warning; of batches it is listed
    by ``Batches.skipped``.
    """

    symbols: str | Iterable[str]
    start: Time | None
    end: Time | None
    venue: str | None
    progress: Progress
    threads: int
    errors: Literal["raise", "warn"]


class Shown(Cut, total=False):
    """``numbers``: prices and sizes as exact integers at ``Table.scale(column)`` decimals
    (``"int"``), the nearest floats (``"float"``), or exact ``decimal128`` (``"decimal"``).
    """

    numbers: Numbers


class Levels(Shown, total=False):
    """``depth``: levels of each side. ``on``: ``"change"``; ``"trade"``, a row before every trade
    of the same venue and symbol; or an interval like ``"100ms"``, rows at its multiples (UTC) as
    the books were then. ``features``: expressions, or a mapping of column names to expressions;
    float columns whose formulas and units ``gapless.features`` has.
    """

    depth: int
    on: str
    features: Features


class Parts(Levels, total=False):
    """``batch_rows``: rows of a batch, or somewhat more. ``price_scale``, ``size_scale``: decimals
    of integers; without them the first batch's, and a later value with more raises ScaleError.
    """

    price_scale: int | None
    size_scale: int | None
    batch_rows: int


class Stream(Parts, total=False):
    """``ordered``: whether batches are in order of receive time over all inputs."""

    ordered: bool


def books(paths: Paths, /, **words: Unpack[Levels]) -> Table:
    """The best ``depth`` (1) levels of every book, one row whenever they change.

    Columns: ``recv_ns, venue_ns, venue, symbol, venue_channel, source, input, seq, live``, then
    ``bid_price, bid_size, ask_price, ask_size`` (``bid_price_0`` … for ``depth`` > 1), then the
    features. A book that stops being live gets a row with ``live`` 0 and no levels, so that no join
    carries it over a gap.

    ``depth=1``: levels of each side. ``on="change"``; ``"trade"``, a row before every trade of the
    same venue and symbol; or an interval like ``"100ms"``, rows at its multiples (UTC) as the books
    were then. ``features=()``: expressions, or a mapping of column names to expressions; float
    columns whose formulas and units ``gapless.features`` has.

    ``numbers="int"``: prices and sizes as exact integers at ``Table.scale(column)`` decimals; the
    nearest floats (``"float"``), or exact ``decimal128`` (``"decimal"``).

    ``symbols=()``: the venue's own, one or several; none: all. ``start=None``, ``end=None``: rows
    received from ``start`` on, before ``end``; ns since the epoch, RFC 3339 or a datetime with a
    time zone. ``venue=None``: of inputs that do not tell theirs. ``progress=False``: True shows a
    bar (needs tqdm), or is called with (bytes read, bytes in all or None). ``threads=0``: one for
    each core. ``errors="raise"``: what cannot be read raises InputError, or is passed over with a
    warning (``"warn"``).

    Rows are in order of receive time. Raises InputError, ScaleError, ValueError; TypeError for a
    word that is none of these.
    """
    return _table("books", paths, Levels, words)


def deltas(paths: Paths, /, **words: Unpack[Shown]) -> Table:
    """Every change of a level of a live book.

    Columns: those of ``books`` up to ``seq``, then ``kind``: ``"snapshot"`` (the rows of the
    message are the whole book), ``"delta"``, or ``"void"`` (one row without levels: the book is
    not live from here); ``side``, ``price``, ``size`` (what now rests there; 0 = nothing), and
    ``last`` (1 on the last row of a message: only there the book is whole). Words as of ``books``,
    but ``depth``, ``on`` and ``features``.
    """
    return _table("deltas", paths, Shown, words)


def trades(paths: Paths, /, **words: Unpack[Shown]) -> Table:
    """Every trade: ``side`` of the taker, ``price``, ``size``, fills of an aggregate (``count``),
    ``flags`` (as ``Event.flags``) and ``id``. Words as of ``deltas``.
    """
    return _table("trades", paths, Shown, words)


def liquidations(paths: Paths, /, **words: Unpack[Shown]) -> Table:
    """Every liquidation: ``side`` of the order (``"sell"`` closes a long), ``price``, ``size``,
    ``filled``, ``average_price``, whether the venue publishes a sample only (``sampled``),
    ``flags`` and ``id``. Words as of ``deltas``.
    """
    return _table("liquidations", paths, Shown, words)


def funding(paths: Paths, /, **words: Unpack[Shown]) -> Table:
    """What each message said of ``last``, ``mark``, ``index``, ``settle``, ``open_interest``,
    ``funding_rate``, ``predicted_funding`` and ``funding_time_ns``; what it did not say is null.
    Words as of ``deltas``.
    """
    return _table("funding", paths, Shown, words)


def states(paths: Paths, /, **words: Unpack[Cut]) -> Table:
    """Every change of a book's state: ``change`` (``"invalidated"``, ``"reset"``, ``"live"``,
    ``"none"``), the ``verdict`` on the message, ``state``, ``reason``, and at a gap the number that
    was ``expected`` and the one that was ``got``. Words as of ``deltas``, but ``numbers``.
    """
    return _table("states", paths, Cut, words)


def replay(
    paths: Paths, /, *, kinds: Kind | Iterable[Kind] = KINDS, **words: Unpack[Stream]
) -> Batches:
    """Replays recordings on threads of their own and gives their rows in immutable batches.

    Each batch is a ``Table`` of one of ``kinds``, of ``batch_rows`` (65 536) rows or somewhat more;
    memory is bounded by them, whatever the size of the inputs. ``ordered=True``: batches of a kind
    are in order of receive time over all inputs, on one thread; False is faster for several files:
    every core reads files of its own, and only the batches of one file are in its order.

    All batches of a kind have one schema. Integers take the scale of the first batch; a later value
    with more decimals raises ScaleError, unless ``price_scale`` and ``size_scale`` said more.

    ``for batch in gapless.replay(...)``; batches of one kind are an Arrow stream too
    (``pl.DataFrame``, ``pa.table``, duckdb). Other words as of ``books``.
    """
    given = _words(Stream, words)
    if given["progress"] is True:
        # It closes itself when the iterator is forgotten, which may be half way.
        given["progress"] = _report(_tqdm())
    given["progress"] = given["progress"] or None
    return _gapless._batches(_listed(kinds), _paths(paths), _given(given))


def to_parquet(
    paths: Paths,
    folder: str | os.PathLike[str],
    /,
    *,
    kinds: Kind | Iterable[Kind] = KINDS,
    name: str = "part",
    **words: Unpack[Parts],
) -> list[tuple[Path, int]]:
    """Writes extracts as Parquet (zstd): ``venue=V/channel=KIND/date=D/symbol=S/NAME-N.parquet``.

    Returns path and rows of each file. Files appear when they are whole; writing the same again
    replaces them. ``name`` tells apart what is written into one data set by several callers. Rows
    are in order of receive time; the path says venue and symbol, the file has the other columns.
    Other words as of ``replay``. Raises OSError for what cannot be written.
    """
    given = _words(Parts, words)
    with _bar(given["progress"]) as report:
        given["progress"] = report
        place = os.fspath(folder), name
        files, skipped = _gapless._to_parquet(_listed(kinds), _paths(paths), *place, _given(given))
    _warn(skipped)
    return files


def _table(kind: Kind, paths: Paths, known: type, words: Mapping[str, Any]) -> Table:
    given = _words(known, words)
    with _bar(given["progress"]) as report:
        given["progress"] = report
        table, skipped = _gapless._extract(kind, _paths(paths), _given(given))
    _warn(skipped, stacklevel=4)
    return table


def _warn(skipped: Iterable[str], stacklevel: int = 3) -> None:
    """Says what could not be read, to the caller of the public function."""
    for error in skipped:
        warnings.warn(error, RuntimeWarning, stacklevel=stacklevel)


def _words(known: type, words: Mapping[str, Any]) -> dict[str, Any]:
    """The words of a public function as the compiled module takes them."""
    for word in words:
        if word not in known.__annotations__:
            raise TypeError(f"no word {word!r}; known are {', '.join(known.__annotations__)}")
    given = dict(words)
    given["symbols"] = _listed(given.get("symbols", ()))
    given["start"], given["end"] = _time(given.get("start")), _time(given.get("end"))
    features = given.get("features", ())
    if isinstance(features, Mapping):
        given["features"] = list(features.items())
    else:
        given["features"] = [(expression, expression) for expression in features]
    errors = given.pop("errors", "raise")
    if errors not in ("raise", "warn"):
        raise ValueError(f"errors must be 'raise' or 'warn', not {errors!r}")
    given["skip_errors"] = errors == "warn"
    given.setdefault("progress", False)
    return given


def _listed(words: str | Iterable[str]) -> list[str]:
    """One word or several, as a list."""
    return [words] if isinstance(words, str) else list(words)


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
