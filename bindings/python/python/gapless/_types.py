"""Dictionaries that the compiled module gives out."""

from typing import TypedDict


class BookInfo(TypedDict):
    """A published book."""

    full_name: str
    name: str
    channel: str
    input: str
    state: str
    reason: str
    age_ns: int


class SourceStatus(TypedDict):
    """How a source fares: ``"running"``, ``"ended"``, ``"stopped"`` or ``"failed"``."""

    name: str
    state: str
    bytes: int
    errors: list[str]
    errors_count: int


class Lost(TypedDict):
    """Events that a receiver was not given."""

    lost: int
    replaced: int


class Parity(TypedDict):
    """What two sources say of the same trades."""

    left: int
    right: int
    matched: int
    only_left: int
    only_right: int
    price_differs: int
    size_differs: int
    side_differs: int
    lag_median_ns: float
    lag_p95_ns: float
