"""What a notebook shows of a book: a small depth picture."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decimal import Decimal

    from gapless import Book

LEVELS = 8
_BID, _ASK = "#2e8b57", "#c0504d"


def book(book: Book[Any]) -> str:
    """HTML of the best levels of each side, bars as long as their sizes."""
    bids, asks = book.depth(LEVELS, numbers="decimal", last_known=True)
    title = f"{book.venue}:{book.symbol}"
    state = book.state if book.is_live else f"{book.state} ({book.reason})"
    largest = max((size for _, size in bids + asks), default=None)
    rows = [_row(level, largest, _ASK) for level in reversed(asks)]
    rows += [_row(level, largest, _BID) for level in bids]
    head = f"<b>{escape(title)}</b> {escape(state)}"
    return f'<div>{head}<table style="font-family:monospace">{"".join(rows)}</table></div>'


def _row(level: tuple[Decimal, Decimal], largest: Decimal | None, colour: str) -> str:
    price, size = level
    share = float(size / largest) if largest else 0.0
    bar = f'<div style="background:{colour};height:0.8em;width:{share * 160:.0f}px"></div>'
    cell = '<td style="text-align:right">'
    return f"<tr>{cell}{price:f}</td>{cell}{size:f}</td><td>{bar}</td></tr>"
