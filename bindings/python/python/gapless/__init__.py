"""Local order books that are exactly the exchange's book, or say that they are not.

Recordings as tables, for polars, pandas, pyarrow, duckdb or numpy:

>>> import polars as pl
>>> pl.DataFrame(gapless.books("day/*.cap.zst", numbers="float"))

A book in hand, fed with raw frames of a connection:

>>> book = gapless.Book("bybit", "BTCUSDT")
>>> book.apply(frame)
'apply'
>>> book.best_bid
(91230.1, 0.25)

Prices and sizes are exact scaled integers inside; ``numbers`` says how they are shown. Times are
nanoseconds since the epoch, UTC.
"""

from gapless import analytics, features
from gapless._extracts import (
    books,
    deltas,
    funding,
    liquidations,
    replay,
    states,
    to_parquet,
    trades,
)
from gapless._gapless import (
    Batches,
    Book,
    BookChange,
    ClosedError,
    EngineError,
    Event,
    FrameError,
    Funding,
    GaplessError,
    InputError,
    Liquidation,
    NotLiveError,
    Reader,
    ScaleError,
    Table,
    Trade,
    __version__,
    venues,
)
from gapless._live import Engine, Events, attach, shared, updates

__all__ = [
    "Batches",
    "Book",
    "BookChange",
    "ClosedError",
    "Engine",
    "EngineError",
    "Event",
    "Events",
    "FrameError",
    "Funding",
    "GaplessError",
    "InputError",
    "Liquidation",
    "NotLiveError",
    "Reader",
    "ScaleError",
    "Table",
    "Trade",
    "__version__",
    "analytics",
    "attach",
    "books",
    "deltas",
    "features",
    "funding",
    "liquidations",
    "replay",
    "shared",
    "states",
    "to_parquet",
    "trades",
    "updates",
    "venues",
]
