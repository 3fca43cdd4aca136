"""Local order books that are exactly the exchange's book, or say that they are not.

A book in hand, fed with raw frames of a connection:

>>> book = gapless.Book("bybit", "BTCUSDT")
>>> book.apply(frame)
'apply'
>>> book.best_bid
(91230.1, 0.25)

Prices and sizes are exact scaled integers inside; ``numbers="decimal"`` or ``"int"`` shows them
so. Times are int nanoseconds since the epoch, UTC.
"""

from gapless._gapless import (
    Book,
    ClosedError,
    FrameError,
    GaplessError,
    InputError,
    NotLiveError,
    __version__,
    venues,
)

__all__ = [
    "Book",
    "ClosedError",
    "FrameError",
    "GaplessError",
    "InputError",
    "NotLiveError",
    "__version__",
    "venues",
]
