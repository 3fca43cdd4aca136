"""Pictures of tables, with matplotlib: ``pip install gapless[plot]``.

Each function draws into ``ax`` (a new figure without one) and returns it. Tables may have any
``numbers``; times are shown in seconds since the first row. Raises ValueError for a table that has
not the columns, or rows of several books where one is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from gapless import Table
    from gapless.analytics import Cleansing

_BID, _ASK, _INK = "#2e8b57", "#c0504d", "#30475e"


def depth_heatmap(
    table: Table, /, *, ax: Axes | None = None, prices: int = 120, times: int = 400
) -> Axes:
    """Sizes resting at prices over time, of ``books(..., depth=n)`` of one book.

    Bids are green and asks red, darker where more rests (square root of the size); the lines are
    the best prices; gaps of the book are white. ``prices`` and ``times``: cells of the picture.
    """
    axes = _axes(ax)
    _one_book(table)
    levels = [f"_{n}" for n in range(len(table.columns)) if f"bid_price_{n}" in table.columns]
    levels = levels or [""]
    seconds = _seconds(table)
    best = {side: _floats(table, f"{side}_price{levels[0]}") for side in ("bid", "ask")}
    shown = np.concatenate([_floats(table, f"{s}_price{n}") for s in best for n in levels])
    if not np.isfinite(shown).any():
        raise ValueError("no row of the table has levels")
    low, high = np.nanpercentile(shown, [1, 99])
    margin = (high - low or abs(high) * 1e-4) * 0.05
    edges = np.linspace(low - margin, high + margin, prices + 1)
    moments = np.linspace(seconds[0], seconds[-1], times + 1)
    rows = np.searchsorted(seconds, moments[:-1], side="right") - 1
    for side, colours in (("bid", "Greens"), ("ask", "Reds")):
        image = np.zeros((prices, times))
        for name in levels:
            price = _floats(table, f"{side}_price{name}")[rows]
            size = _floats(table, f"{side}_size{name}")[rows]
            row = np.searchsorted(edges, price) - 1
            fits = np.isfinite(price) & (row >= 0) & (row < prices)
            np.add.at(image, (row[fits], np.flatnonzero(fits)), size[fits])
        masked = np.ma.masked_equal(np.sqrt(image), 0)
        axes.pcolormesh(moments, edges, masked, cmap=colours, shading="flat", rasterized=True)
    for side, colour in (("bid", _BID), ("ask", _ASK)):
        axes.step(seconds, best[side], where="post", color=colour, linewidth=0.8, label=side)
    axes.set(xlabel="seconds", ylabel="price", title=_title(table, "depth"))
    axes.set_ylim(edges[0], edges[-1])
    axes.legend(loc="upper left", frameon=False)
    return axes


def spread(table: Table, /, *, ax: Axes | None = None, bps: bool = True) -> Axes:
    """Best ask minus best bid over time, of ``books`` of one book; in basis points, or price.

    Gaps of the book are gaps of the line.
    """
    axes = _axes(ax)
    _one_book(table)
    suffix = "_0" if "bid_price_0" in table.columns else ""
    bid, ask = _floats(table, f"bid_price{suffix}"), _floats(table, f"ask_price{suffix}")
    values = 2e4 * (ask - bid) / (ask + bid) if bps else ask - bid
    axes.step(_seconds(table), values, where="post", color=_INK, linewidth=0.9)
    axes.set(xlabel="seconds", ylabel="spread, bps" if bps else "spread", ylim=(0, None))
    axes.set_title(_title(table, "spread"))
    return axes


def latency(table: Table, /, *, ax: Axes | None = None) -> Axes:
    """Distribution of receive time minus the venue's time, ms, of any table: how late messages are.

    The share of rows that are at most so late; clocks that disagree show as an offset.
    """
    axes = _axes(ax)
    venue = table["venue_ns"]
    known = venue != np.iinfo(np.int64).min
    if not known.any():
        raise ValueError("the venue states no times in this table")
    late = np.sort((table["recv_ns"][known] - venue[known]) / 1e6)
    share = np.arange(1, len(late) + 1) / len(late)
    axes.plot(late, share, color=_INK)
    for part, style in ((0.5, "-"), (0.99, "--")):
        at = float(np.quantile(late, part))
        axes.axvline(at, color=_ASK, linestyle=style, linewidth=0.8)
        label = f" p{part * 100:.0f} {at:.1f} ms "
        place = (at, 0.08 if part < 0.9 else 0.16)
        axes.annotate(label, place, color=_ASK, horizontalalignment="right")
    axes.set(xlabel="received after the venue's time, ms", ylabel="share of rows", ylim=(0, 1))
    axes.set_title(_title(table, "latency"))
    return axes


def cleansing(table: Table, found: Cleansing, /, *, ax: Axes | None = None) -> Axes:
    """Liquidations over time by size, and the clusters of ``analytics.cleansing`` among them.

    Sells (longs closed) are red, buys green; clusters are shaded.
    """
    axes = _axes(ax)
    seconds = _seconds(table)
    sides = np.array([*table.categories("side"), ""])[table["side"]]
    size = _floats(table, "size")
    for side, colour in (("sell", _ASK), ("buy", _BID)):
        mine = sides == side
        loose, inside = mine & (found.cluster < 0), mine & (found.cluster >= 0)
        axes.scatter(seconds[loose], size[loose], s=12, facecolors="none", edgecolors=colour)
        axes.scatter(seconds[inside], size[inside], s=18, color=colour, label=side)
    for number in range(len(found.clusters)):
        times = seconds[found.cluster == number]
        width = max(float(np.ptp(times)), float(np.ptp(seconds)) * 0.004)
        axes.axvspan(times.min(), times.min() + width, color=_INK, alpha=0.15, linewidth=0)
    axes.set(xlabel="seconds", ylabel="size", title=f"{len(found.clusters)} cleansing clusters")
    if (size > 0).any():
        axes.set_yscale("log")
    if len(size):
        axes.legend(loc="upper right", frameon=False)
    return axes


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(9, 4), layout="constrained")[1]


def _seconds(table: Table) -> npt.NDArray[Any]:
    times = table["recv_ns"]
    if not len(times):
        raise ValueError("the table has no rows")
    return np.asarray((times - times[0]) / 1e9)


def _floats(table: Table, name: str) -> npt.NDArray[Any]:
    """A column of prices or sizes as floats, absent as NaN."""
    if name not in table.columns:
        raise ValueError(f"the table has no column {name!r}")
    values = table[name]
    scale = table.scale(name)
    if scale is None:
        return values
    absent = values == np.iinfo(np.int64).min
    return np.where(absent, np.nan, values / 10.0**scale)


def _one_book(table: Table) -> None:
    for name in ("venue", "symbol", "venue_channel", "source", "input"):
        if len(np.unique(table[name])) > 1:
            raise ValueError(f"rows of several books ({name}); choose one with symbols=")


def _title(table: Table, what: str) -> str:
    names = [table.categories(name) for name in ("venue", "symbol")]
    return f"{names[0][0]}:{names[1][0]} {what}" if all(len(n) == 1 for n in names) else what
