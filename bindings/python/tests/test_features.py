"""Feature columns and analytics against twins in plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from captures import SAMPLES, captures
from hypothesis import given, settings
from hypothesis import strategies as st

import gapless
from gapless import analytics, features

ONE = SAMPLES / "bybit.cap.zst"
BOOK = [
    features.mid(),
    features.spread(),
    features.spread_bps(),
    features.microprice(),
    features.imbalance(5),
    features.bid_depth(5),
    features.ask_depth(2.5),
    features.vwap_buy(3),
    features.vwap_sell(0.5),
]
DEPTH = 400
Level = tuple[float, float]


def twin(name: str, bids: list[Level], asks: list[Level]) -> float:
    """A feature of one book, as its formula has it."""
    if not bids or not asks:
        return math.nan
    (pb, qb), (pa_, qa) = bids[0], asks[0]
    mid = (pb + pa_) / 2
    imbalance = (sum(q for _, q in bids[:5]), sum(q for _, q in asks[:5]))
    return {
        "mid": lambda: mid,
        "spread": lambda: pa_ - pb,
        "spread_bps": lambda: 1e4 * (pa_ - pb) / mid,
        "microprice": lambda: (pb * qa + pa_ * qb) / (qb + qa),
        "imbalance(5)": lambda: (imbalance[0] - imbalance[1]) / sum(imbalance),
        "bid_depth(5)": lambda: sum(q for p, q in bids if p >= mid - mid * 5 / 1e4),
        "ask_depth(2.5)": lambda: sum(q for p, q in asks if p <= mid + mid * 2.5 / 1e4),
        "vwap_buy(3)": lambda: taken(asks, 3),
        "vwap_sell(0.5)": lambda: taken(bids, 0.5),
    }[name]()


def taken(levels: list[Level], size: float) -> float:
    left, paid = size, 0.0
    for price, qty in levels:
        take = min(left, qty)
        paid, left = paid + take * price, left - take
        if left <= 0:
            return paid / size
    return math.nan


@pytest.mark.parametrize(
    "path",
    [path for path in captures() if path.parent == SAMPLES],
    ids=lambda path: f"{path.parent.name}-{path.name}",
)
def test_features_of_a_book_are_their_formulas(path: Path) -> None:
    table = gapless.books(path, depth=DEPTH, numbers="float", features=BOOK, on="250ms")
    few = np.linspace(0, len(table) - 1, 20, dtype=int) if len(table) else []
    for row in pa.table(table).take(few).to_pylist():
        sides = []
        for side in ("bid", "ask"):
            levels = [(row[f"{side}_price_{n}"], row[f"{side}_size_{n}"]) for n in range(DEPTH)]
            sides.append([level for level in levels if not math.isnan(level[0])])
        if len(sides[0]) == DEPTH or len(sides[1]) == DEPTH:
            continue  # the book goes on below what is shown
        for name in BOOK:
            expected = twin(name, *sides) if row["live"] else math.nan
            assert row[name] == pytest.approx(expected, rel=1e-9, nan_ok=True), name


def test_order_flow_and_volatility_are_their_formulas() -> None:
    names = {"flow": "ofi", "vol": "rv(200ms)"}
    table = gapless.books(ONE, numbers="float", features=names)
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row, ns in zip(pa.table(table).to_pylist(), table["recv_ns"], strict=True):
        row["ns"] = int(ns)
        groups[row["symbol"], row["source"], row["venue_channel"]].append(row)
    checked = 0
    for rows in groups.values():
        before: dict[str, Any] | None = None
        changes: list[tuple[int, float]] = []
        for row in rows:
            if not row["live"]:
                before, changes = None, []
                continue
            flow = 0.0
            if before:
                flow += row["bid_size"] if row["bid_price"] >= before["bid_price"] else 0
                flow -= before["bid_size"] if row["bid_price"] <= before["bid_price"] else 0
                flow -= row["ask_size"] if row["ask_price"] <= before["ask_price"] else 0
                flow += before["ask_size"] if row["ask_price"] >= before["ask_price"] else 0
                mids = [(r["bid_price"] + r["ask_price"]) / 2 for r in (before, row)]
                changes.append((row["ns"], math.log(mids[1] / mids[0]) ** 2))
            inside = [x for ns, x in changes if ns > row["ns"] - 200_000_000]
            assert row["flow"] == pytest.approx(flow, abs=1e-9)
            assert row["vol"] == pytest.approx(math.sqrt(sum(inside)), abs=1e-12)
            before, checked = row, checked + 1
    assert checked > 100


def test_trade_windows_are_sums_over_the_trades_before() -> None:
    wanted = ["buy_volume(1s)", "sell_volume(1s)", "trade_sign(1s)", "trade_count(1s)"]
    table = gapless.books(ONE, numbers="float", features=wanted, on="20ms")
    trades = gapless.trades(ONE, numbers="float")
    sides = np.array(trades.categories("side"))[trades["side"]]
    names = np.array(trades.categories("symbol"))[trades["symbol"]]
    symbols = np.array(table.categories("symbol"))[table["symbol"]]
    states = gapless.states(ONE)
    whose = np.array(states.categories("symbol"))[states["symbol"]]
    checked = 0
    for row, (ns, symbol) in enumerate(zip(table["recv_ns"], symbols, strict=True)):
        # Windows began anew when the state of the book changed.
        changes = states["recv_ns"][(whose == symbol) & (states["recv_ns"] <= ns)]
        if not table["live"][row] or ns - changes.max(initial=0) <= 1_000_000_000:
            continue
        times = trades["recv_ns"]
        inside = (names == symbol) & (times > ns - 1_000_000_000) & (times <= ns)
        buy = trades["size"][inside & (sides == "buy")].sum()
        sell = trades["size"][inside & (sides == "sell")].sum()
        assert table[wanted[0]][row] == pytest.approx(buy, abs=1e-9)
        assert table[wanted[1]][row] == pytest.approx(sell, abs=1e-9)
        assert table[wanted[3]][row] == inside.sum()
        if buy + sell:
            sign = (buy - sell) / (buy + sell)
            assert table[wanted[2]][row] == pytest.approx(sign, abs=1e-9)
        checked += 1
    assert checked > 10


def test_names_and_units_of_features_are_in_the_schema() -> None:
    table = gapless.books(ONE, features={"m": "mid", "b": "bid_depth(10)", "v": "rv(1s)"})
    assert table.columns[-3:] == ["m", "b", "v"]
    assert [table.unit(name) for name in "mbv"] == ["price", "size", "1"]


def seed(times: list[int], sells: list[bool]) -> tuple[list[bool], dict[str, float]]:
    """The rule as it was first written down: a window from every liquidation, in plain Python."""
    order = sorted(range(len(times)), key=lambda at: times[at])
    marked = [False] * len(times)
    for start in times:
        inside = [at for at in order if start <= times[at] <= start + 500_000_000]
        selling = sum(sells[at] for at in inside)
        if len(inside) >= 5 and max(selling, len(inside) - selling) >= 4:
            for at in inside:
                marked[at] = True
    events = sorted(t for t, m in zip(times, marked, strict=True) if m)
    gaps = np.diff(np.array(events, dtype=np.int64)) / 1e9
    if not len(gaps):
        return marked, {"total_cleansing_events": len(events)}
    return marked, {
        "mean_interval_sec": float(np.mean(gaps)),
        "median_interval_sec": float(np.median(gaps)),
        "std_interval_sec": float(np.std(gaps)),
        "p95_interval_sec": float(np.percentile(gaps, 95)),
        "max_interval_sec": float(np.max(gaps)),
        "total_cleansing_events": len(events),
    }


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 90, 200, 499, 500, 501, 2000]), st.booleans()),
        max_size=60,
    ),
    st.randoms(use_true_random=False),
)
def test_cleansing_is_the_plain_rule(steps: list[tuple[int, bool]], random: Any) -> None:
    now, rows = 1_700_000_000_000_000_000, []
    for step, sell in steps:
        now += step * 1_000_000
        rows.append((now, sell))
    random.shuffle(rows)
    times = np.array([ns for ns, _ in rows], dtype=np.int64)
    sells = np.array([sell for _, sell in rows], dtype=bool)
    found = analytics.cleansing_of(times, sells)
    marked, intervals = seed(times.tolist(), sells.tolist())
    assert (found.cluster >= 0).tolist() == marked
    for name, value in intervals.items():
        assert found.intervals[name] == pytest.approx(value), name
    assert sum(cluster.events for cluster in found.clusters) == sum(marked)
    for number, cluster in enumerate(found.clusters):
        mine = times[found.cluster == number]
        assert (mine.min(), mine.max()) == (cluster.start_ns, cluster.end_ns)
        assert sells[found.cluster == number].sum() == cluster.sells


def test_cleansing_of_a_table_of_liquidations() -> None:
    table = gapless.liquidations(captures())
    found = analytics.cleansing(table)
    assert len(found.cluster) == len(table)
    wide = analytics.cleansing(table, window_ms=3_600_000, min_count=1, min_same_side=1)
    assert (wide.cluster >= 0).all()
    with pytest.raises(gapless.GaplessError, match="venue_time"):
        analytics.cleansing(table, time="venue_time")


def test_anomaly_scores_are_their_formula() -> None:
    table = gapless.trades(captures()[:6], numbers="float")
    scores = analytics.anomaly_scores(table, window=50, min_trades=10)
    assert len(scores) == len(table) and ((scores >= 0) & (scores < 1)).all()
    seen: dict[int, tuple[list[float], list[float], float | None]] = {}
    for at in range(len(table)):
        sizes, returns, before = seen.get(int(table["symbol"][at]), ([], [], None))
        price, size = table["price"][at], math.log(table["size"][at])
        change = None if before is None else math.log(price / before)
        far = 0.0
        if len(returns) >= 10:
            far = max(0.0, distance(sizes, size), abs(distance(returns, change or 0.0)))
        expected = 1 - 1 / far**2 if far > 1 else 0.0
        assert scores[at] == pytest.approx(expected, abs=1e-5)
        sizes = [*sizes, size][-50:]
        returns = returns if change is None else [*returns, change][-50:]
        seen[int(table["symbol"][at])] = (sizes, returns, price)


def distance(values: list[float], value: float) -> float:
    variance = float(np.var(values))
    return 0.0 if variance <= 1e-18 else (value - float(np.mean(values))) / math.sqrt(variance)


def test_a_source_is_at_parity_with_itself_and_not_with_less() -> None:
    table = gapless.trades(ONE)
    same = analytics.parity(table, table)
    assert same["matched"] == same["left"] == same["right"] == len(table) > 0
    assert same["only_left"] == same["price_differs"] == same["lag_median_ns"] == 0
    half = gapless.trades(ONE, start=int(np.median(table["recv_ns"])))
    less = analytics.parity(table, half)
    assert less["matched"] == len(half) and less["only_left"] == len(table) - len(half)
    assert analytics.parity(half, table)["only_right"] == less["only_left"]
    with pytest.raises(gapless.GaplessError, match="column"):
        analytics.parity(table, gapless.states(ONE))
