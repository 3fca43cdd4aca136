"""Expressions of feature columns, computed in Rust while a recording is replayed.

``gapless.books(paths, features=[features.mid(), features.rv("10s")])``. ``Pb, Qb, Pa, Qa`` are
price and size of the best bid and ask in the venue's units. Every column is float64; it is NaN
where the book has not what is asked for. A window (``"500ms"``, ``"10s"``, ``"5m"``, ``"1h"``)
reaches back from the row's receive time, which it includes; its far end it does not. Windows begin
anew with every gap of the book.
"""

from __future__ import annotations


def mid() -> str:
    """(Pb + Pa) / 2; price."""
    return "mid"


def spread() -> str:
    """Pa − Pb; price."""
    return "spread"


def spread_bps() -> str:
    """10⁴ · (Pa − Pb) / mid; basis points."""
    return "spread_bps"


def microprice() -> str:
    """(Pb·Qa + Pa·Qb) / (Qb + Qa); price."""
    return "microprice"


def imbalance(n: int = 1) -> str:
    """(B − A) / (B + A), where B and A are the sizes of the best ``n`` levels summed; −1..1."""
    return f"imbalance({n})"


def bid_depth(bps: float) -> str:
    """Size resting at bids within ``bps`` basis points of mid, the limit included; size."""
    return f"bid_depth({bps:.12g})"


def ask_depth(bps: float) -> str:
    """Size resting at asks within ``bps`` basis points of mid, the limit included; size."""
    return f"ask_depth({bps:.12g})"


def vwap_buy(size: float) -> str:
    """Mean price of taking ``size`` from the asks; price, NaN if there is less."""
    return f"vwap_buy({size:.12g})"


def vwap_sell(size: float) -> str:
    """Mean price of taking ``size`` from the bids; price, NaN if there is less."""
    return f"vwap_sell({size:.12g})"


def ofi() -> str:
    """Order-flow imbalance at the best prices, summed over the changes since the row before; size.

    Each change from ′ adds [Pb ≥ Pb′]·Qb − [Pb ≤ Pb′]·Qb′ − [Pa ≤ Pa′]·Qa + [Pa ≥ Pa′]·Qa′
    (Cont, Kukanov, Stoikov 2014).
    """
    return "ofi"


def rv(window: str) -> str:
    """Realised volatility: √Σ ln(midᵢ / midᵢ₋₁)² over the changes of mid in the window; 1."""
    return f"rv({window})"


def buy_volume(window: str) -> str:
    """Size of the trades in the window whose taker bought; size."""
    return f"buy_volume({window})"


def sell_volume(window: str) -> str:
    """Size of the trades in the window whose taker sold; size."""
    return f"sell_volume({window})"


def trade_sign(window: str) -> str:
    """(buy − sell) / (buy + sell) of the traded sizes in the window; −1..1."""
    return f"trade_sign({window})"


def trade_count(window: str) -> str:
    """Trades in the window; count."""
    return f"trade_count({window})"
