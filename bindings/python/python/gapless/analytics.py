"""Analytics over tables of trades and liquidations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gapless import _gapless

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from gapless._gapless import Table
    from gapless._types import Parity


class Cluster(NamedTuple):
    """Liquidations that hang together; times in ns since the epoch."""

    events: int
    start_ns: int
    end_ns: int
    sells: int


@dataclass(frozen=True)
class Cleansing:
    """Leverage-cleansing clusters of a table of liquidations.

    ``cluster`` has the number of the cluster of each row, −1 for none; ``intervals`` the
    distribution of the time between consecutive liquidations of clusters, in seconds, and how many
    liquidations they hold (``total_cleansing_events``).
    """

    cluster: npt.NDArray[np.int64]
    clusters: list[Cluster]
    intervals: dict[str, float]


def cleansing(
    table: Table,
    /,
    *,
    window_ms: float = 500,
    min_count: int = 5,
    min_same_side: int = 4,
    time: str = "recv_ns",
) -> Cleansing:
    """Finds clusters of forced closings of one side.

    Each liquidation opens a window of ``window_ms``, both ends included. If it holds at least
    ``min_count`` liquidations, ``min_same_side`` of them of one side, all in it are marked; marked
    windows that share a row are one cluster. ``time``: the column that orders them.
    """
    times, sells = _gapless._times_and_sells(table, time)
    return cleansing_of(
        times, sells, window_ms=window_ms, min_count=min_count, min_same_side=min_same_side
    )


def cleansing_of(
    times: npt.NDArray[np.int64],
    sells: npt.NDArray[np.bool_],
    /,
    *,
    window_ms: float = 500,
    min_count: int = 5,
    min_same_side: int = 4,
) -> Cleansing:
    """As ``cleansing``, of arrays: times in ns, and whether the order was a sell."""
    window_ns = round(window_ms * 1_000_000)
    cluster, clusters, intervals = _gapless._cleansing(
        times, sells, window_ns, min_count, min_same_side
    )
    return Cleansing(cluster, [Cluster(*values) for values in clusters], intervals)


def anomaly_scores(
    trades: Table, /, *, window: int = 500, min_trades: int = 30
) -> npt.NDArray[np.float64]:
    """A score 0..1 for each trade: how far it lies from the ``window`` trades of its symbol before.

    z is the larger of two distances in standard deviations: of ln size (upwards only) and of the
    return ln(price / price before). The score is 1 − 1/z² for z > 1, else 0: at most a share of
    1 − score of any distribution lies as far out (Chebyshev). 0 with fewer than ``min_trades``
    trades before.
    """
    return _gapless._anomalies(trades, window, min_trades)


def parity(left: Table, right: Table, /) -> Parity:
    """Compares the trades of two sources, matched by symbol and id.

    Counts of both, of what only one has, of those that differ, and the lag of the second's receive
    times behind the first's (median and 95th percentile, ns; NaN if nothing matched).
    """
    return _gapless._parity(left, right)
