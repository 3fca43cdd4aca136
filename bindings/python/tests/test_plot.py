"""Pictures: drawn without a warning, of what the table says; the notebook runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from captures import SAMPLES

import gapless

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from gapless import plot  # noqa: E402

ONE = SAMPLES / "binance_usdm.cap.zst"


def table(**words: object) -> gapless.Table:
    symbol = gapless.books(ONE).categories("symbol")[0]
    return gapless.books(ONE, symbols=symbol, **words)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _closed() -> object:
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def test_a_heatmap_shows_the_best_prices() -> None:
    whole = table(depth=20)
    axes = plot.depth_heatmap(whole)
    bid, ask = (line.get_ydata() for line in axes.get_lines()[:2])
    assert len(bid) == len(whole) and np.nanmax(bid) < np.nanmax(ask)
    cells = sum(collection.get_array().count() for collection in axes.collections)
    assert cells > 1000
    low, high = axes.get_ylim()
    assert low < np.nanmin(bid) and np.nanmax(ask) < high


def test_a_spread_is_a_step_line_with_gaps() -> None:
    whole = table()
    axes = plot.spread(whole)
    values = axes.get_lines()[0].get_ydata()
    assert np.nanmin(values) > 0 and len(values) == len(whole)
    assert (np.isnan(values) >= (whole["live"] == 0)).all()
    assert plot.spread(table(numbers="float"), bps=False).get_ylabel() == "spread"


def test_latency_and_cleansing_are_drawn_of_their_tables() -> None:
    axes = plot.latency(gapless.trades(ONE))
    late = axes.get_lines()[0].get_xdata()
    assert (np.diff(late) >= 0).all()
    liquidations = gapless.liquidations(SAMPLES / "deribit.cap.zst")
    found = gapless.analytics.cleansing(liquidations)
    axes = plot.cleansing(liquidations, found)
    assert len(found.clusters) > 5 and axes.get_title().startswith(f"{len(found.clusters)} ")
    points = sum(len(dots.get_offsets()) for dots in axes.collections)
    assert points == len(liquidations) and len(axes.patches) == len(found.clusters)


def test_tables_that_cannot_be_drawn_are_refused() -> None:
    several = gapless.books(sorted(SAMPLES.glob("*.cap.zst"))[:2])
    with pytest.raises(ValueError, match="several books"):
        plot.spread(several)
    with pytest.raises(ValueError, match="no column"):
        plot.spread(gapless.states(SAMPLES / "binance_usdm_gap.cap.zst", symbols="BTCUSDT"))
    with pytest.raises(ValueError, match="no rows"):
        plot.spread(gapless.books(ONE, symbols="none such"))


def test_the_notebook_runs() -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    path = Path(__file__).parents[1] / "docs" / "tour.ipynb"
    book = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(book, timeout=120, resources=folder).execute()
    pictures = [
        output
        for cell in book.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 4
