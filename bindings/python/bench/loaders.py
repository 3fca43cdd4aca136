"""From a Tardis ``incremental_book_L2`` file to arrays, against what researchers load it with.

    rivals/bin/python loaders.py CAPTURE [SYMBOL]

Writes the changes of a recorded book as a Tardis file of a few hundred thousand rows, and loads it
with each contender: gapless gives best bid and ask after every message of a sequenced book, the
others their first usable array and no book; ``polars.read_csv`` only reads. Prints seconds, the
best of several runs, of the process' CPU and of the clock. Exits with 1 where answers differ.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Set before polars starts its threads.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import polars as pl

import gapless

RUNS = 5


def tardis(capture: str, symbol: str | None, folder: Path) -> tuple[Path, int, Any]:
    """The file, how many rows it has, and the last best prices of the book."""
    words: Any = {"symbols": symbol} if symbol else {}
    rows = pl.DataFrame(gapless.deltas(capture, numbers="float", **words))
    last = pl.DataFrame(gapless.books(capture, numbers="float", **words)).tail(1)
    rows = rows.filter(pl.col("side").cast(pl.String) != "none").select(
        exchange=pl.lit("binance-futures"),
        symbol=pl.col("symbol").cast(pl.String),
        timestamp=pl.col("recv_ns").dt.epoch("us"),
        local_timestamp=pl.col("recv_ns").dt.epoch("us"),
        is_snapshot=pl.when(pl.col("kind").cast(pl.String) == "snapshot")
        .then(pl.lit("true"))
        .otherwise(pl.lit("false")),
        side=pl.col("side").cast(pl.String),
        price="price",
        amount="size",
    )
    name = f"binance-futures_incremental_book_L2_2024-08-08_{rows['symbol'][0]}.csv.gz"
    path = folder / name
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(rows.write_csv().encode())
    return path, len(rows), (last["bid_price"][0], last["ask_price"][0])


def ours(path: Path) -> Any:
    table = gapless.books(path, numbers="float", threads=1)
    return table["bid_price"][-1], table["ask_price"][-1]


def ours_deltas(path: Path) -> int:
    return len(gapless.deltas(path, numbers="float", threads=1)["price"])


def polars(path: Path) -> int:
    return len(pl.read_csv(path))


def hftbacktest(path: Path) -> int:
    from hftbacktest.data.utils import tardis

    return len(tardis.convert([str(path)], buffer_size=2_000_000))


def nautilus(path: Path) -> int:
    from nautilus_trader.adapters.tardis.loaders import TardisCSVDataLoader

    return len(TardisCSVDataLoader().load_deltas(path, as_legacy_cython=False))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        symbol = sys.argv[2] if len(sys.argv) > 2 else None
        path, count, best = tardis(sys.argv[1], symbol, Path(folder))
        print(f"{path.name}: {count} rows, {path.stat().st_size} bytes")
        contenders: dict[str, Callable[[Path], Any]] = {
            "gapless.books": ours,
            "gapless.deltas": ours_deltas,
            "polars.read_csv, 1 thread": polars,
            "hftbacktest tardis.convert": hftbacktest,
            "nautilus load_deltas": nautilus,
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        answers = {}
        for _ in range(RUNS):
            for name, load in contenders.items():
                begun = time.process_time(), time.perf_counter()
                answers[name] = load(path)
                now = time.process_time(), time.perf_counter()
                times[name].append((now[0] - begun[0], now[1] - begun[1]))
        first = min(cpu for cpu, _ in times["gapless.books"])
        for name, runs in times.items():
            cpu, wall = min(cpu for cpu, _ in runs), min(wall for _, wall in runs)
            print(f"{name:28} {cpu:8.3f} s CPU {wall:8.3f} s  {cpu / first:6.2f} times")
        if answers["gapless.books"] != best or answers["polars.read_csv, 1 thread"] != count:
            raise SystemExit(f"the answers differ: {answers}, the book ends at {best}")
        print(f"answers: {answers}")


if __name__ == "__main__":
    main()
