"""Raw frame to best bid and ask, against what Python programs use today.

    python -m venv rivals && rivals/bin/pip install -r requirements.txt ../dist/gapless-*.whl
    rivals/bin/python frames.py CAPTURE [SYMBOL]

CAPTURE is a recording of Binance USD-M depth; every contender gets the same frames and must end
with the same best prices. The wheel must be a release build. Prints ns a frame: the median of
several runs, which take turns, in thread CPU time; more runs of fewer frames. Exits with 1 where
answers differ.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from sortedcontainers import SortedDict

import gapless

RUNS = 5
FRAMES_MAX = 3_000
Best = tuple[float, float]
Timed = tuple[int, Best]
Snapshot = dict[str, Any]


class Depth(msgspec.Struct):
    """One depthUpdate, the fields that a book needs."""

    s: str
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class Stream(msgspec.Struct):
    """The envelope of a combined stream."""

    data: Depth


def frames(path: Path, wanted: str | None) -> tuple[str, list[bytes], Snapshot]:
    """Depth frames of one symbol after its snapshot, and that snapshot."""
    snapshot: Snapshot | None = None
    symbol, found = wanted or "", []
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        for line in io.BufferedReader(reader):
            _, kind, source, payload = line.rstrip(b"\n").split(b"\t", 3)
            if snapshot is None and payload.startswith(b'{"lastUpdateId"'):
                url = source.decode().upper()
                name = url.partition("SYMBOL=")[2].partition("&")[0] or wanted
                if not wanted or name == wanted:
                    symbol, snapshot = name or "", json.loads(payload)
            if kind == b"R" and b'"depthUpdate"' in payload and f'"{symbol}"'.encode() in payload:
                found.append(payload)
    if snapshot is None or not found:
        raise SystemExit(f"{path}: no depth snapshot and frames of one symbol")
    return symbol, found[:FRAMES_MAX], snapshot


def ours(symbol: str, data: list[bytes], snapshot: Snapshot) -> Callable[[], Timed]:
    body = json.dumps(snapshot)
    # One for all runs: it learns the shapes of its frames once in its life.
    book = gapless.Book("binance_usdm", symbol)

    def run() -> Timed:
        book.disconnect()
        book.apply(data[0])
        book.snapshot(body)
        best = (0.0, 0.0)
        begun = time.thread_time_ns()
        for frame in data:
            book.apply(frame)
            if book.is_live:
                bid, ask = book.best_bid, book.best_ask
                best = (bid[0] if bid else 0.0, ask[0] if ask else 0.0)
        return time.thread_time_ns() - begun, best

    return run


def msgspec_sorted(
    symbol: str, data: list[bytes], snapshot: Snapshot
) -> Callable[[], Timed]:
    enveloped = data[0].lstrip().startswith(b'{"stream"')
    decoder = msgspec.json.Decoder(Stream if enveloped else Depth)

    def run() -> Timed:
        bids = SortedDict({float(p): float(q) for p, q in snapshot["bids"]})
        asks = SortedDict({float(p): float(q) for p, q in snapshot["asks"]})
        best = (0.0, 0.0)
        begun = time.thread_time_ns()
        for frame in data:
            message = decoder.decode(frame)
            depth = message.data if enveloped else message
            for side, levels in ((bids, depth.b), (asks, depth.a)):
                for price, size in levels:
                    if float(size):
                        side[float(price)] = float(size)
                    else:
                        side.pop(float(price), None)
            best = (bids.peekitem(-1)[0], asks.peekitem(0)[0])
        return time.thread_time_ns() - begun, best

    return run


def ccxt_pro(symbol: str, data: list[bytes], snapshot: Snapshot) -> Callable[[], Timed]:
    from ccxt.async_support.base.ws.order_book import OrderBook

    def run() -> Timed:
        book = OrderBook(snapshot_floats(snapshot))
        best = (0.0, 0.0)
        begun = time.thread_time_ns()
        for frame in data:
            message = json.loads(frame)
            depth = message.get("data", message)
            for side, levels in ((book["bids"], depth["b"]), (book["asks"], depth["a"])):
                for price, size in levels:
                    side.store(float(price), float(size))
            best = (book["bids"][0][0], book["asks"][0][0])
        return time.thread_time_ns() - begun, best

    return run


def cryptofeed(symbol: str, data: list[bytes], snapshot: Snapshot) -> Callable[[], Timed]:
    """What ``cryptofeed.exchanges.BinanceFutures`` does with a frame, on its own types."""
    from cryptofeed.types import OrderBook
    from yapic import json as yapic

    def run() -> Timed:
        sides = [{Decimal(p): Decimal(q) for p, q in snapshot[s]} for s in ("bids", "asks")]
        book = OrderBook("BINANCE_FUTURES", symbol, bids=sides[0], asks=sides[1])
        best = (0.0, 0.0)
        begun = time.thread_time_ns()
        for frame in data:
            message = yapic.loads(frame, parse_float=Decimal)
            depth = message.get("data", message)
            for side, levels in ((book.book.bids, depth["b"]), (book.book.asks, depth["a"])):
                for update in levels:
                    price, amount = Decimal(update[0]), Decimal(update[1])
                    if amount == 0:
                        if price in side:
                            del side[price]
                    else:
                        side[price] = amount
            best = (book.book.bids.index(0)[0], book.book.asks.index(0)[0])
        return time.thread_time_ns() - begun, (float(best[0]), float(best[1]))

    return run


def nautilus(symbol: str, data: list[bytes], snapshot: Snapshot) -> Callable[[], Timed]:
    """``OrderBook.apply_deltas`` of nautilus_trader, fed as its adapters do."""
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
    from nautilus_trader.model.enums import BookAction, BookType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId
    from nautilus_trader.model.objects import Price, Quantity

    instrument = InstrumentId.from_str(f"{symbol}-PERP.BINANCE")
    enveloped = data[0].lstrip().startswith(b'{"stream"')
    decoder = msgspec.json.Decoder(Stream if enveloped else Depth)

    def deltas(bids: list[Any], asks: list[Any]) -> Any:
        made = []
        for side, levels in ((OrderSide.BUY, bids), (OrderSide.SELL, asks)):
            for price, size in levels:
                quantity = Quantity.from_str(size)
                action = BookAction.UPDATE if float(size) else BookAction.DELETE
                order = BookOrder(side, Price.from_str(price), quantity, 0)
                made.append(OrderBookDelta(instrument, action, order, 0, 0, 0, 0))
        return OrderBookDeltas(instrument, made)

    def run() -> Timed:
        book = OrderBook(instrument, BookType.L2_MBP)
        book.apply_deltas(deltas(snapshot["bids"], snapshot["asks"]))
        best: tuple[Any, Any] = (0.0, 0.0)
        begun = time.thread_time_ns()
        for frame in data:
            message = decoder.decode(frame)
            depth = message.data if enveloped else message
            if depth.b or depth.a:
                book.apply_deltas(deltas(depth.b, depth.a))
            best = (book.best_bid_price(), book.best_ask_price())
        return time.thread_time_ns() - begun, (float(best[0]), float(best[1]))

    return run


def snapshot_floats(snapshot: Snapshot) -> Snapshot:
    sides = ("bids", "asks")
    return {s: [[float(p), float(q)] for p, q in snapshot[s]] for s in sides}


def main() -> None:
    path = Path(sys.argv[1])
    symbol, data, snapshot = frames(path, sys.argv[2] if len(sys.argv) > 2 else None)
    contenders = {
        "gapless.Book": ours,
        "msgspec + SortedDict": msgspec_sorted,
        "ccxt.pro OrderBook + json": ccxt_pro,
        "nautilus_trader OrderBook": nautilus,
        "cryptofeed OrderBook": cryptofeed,
    }
    size = sum(map(len, data)) / len(data)
    print(f"{path.name} {symbol}: {len(data)} frames, {size:.0f} bytes each")
    runs = {name: make(symbol, data, snapshot) for name, make in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    answers = {}
    for _ in range(max(RUNS, RUNS * FRAMES_MAX // len(data) // 2)):
        for name, run in runs.items():
            ns, answers[name] = run()
            times[name].append(ns / len(data))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, ns in medians.items():
        ratio = ns / medians["gapless.Book"]
        print(f"{name:28} {ns:10.0f} ns a frame  {ratio:6.1f} times")
    if len(set(answers.values())) != 1:
        raise SystemExit(f"the answers differ: {answers}")
    read(symbol, data, snapshot)


def read(symbol: str, data: list[bytes], snapshot: Snapshot) -> None:
    """Times one property."""
    book = gapless.Book("binance_usdm", symbol)
    book.apply(data[0])
    book.snapshot(json.dumps(snapshot))
    for frame in data:
        book.apply(frame)
    if not book.is_live:
        raise SystemExit(f"{book!r} is not live")
    count = 1_000_000
    begun = time.thread_time_ns()
    for _ in range(count):
        book.best_bid  # noqa: B018 - what is measured
    print(f"reading best_bid            {(time.thread_time_ns() - begun) / count:10.0f} ns")


if __name__ == "__main__":
    main()
