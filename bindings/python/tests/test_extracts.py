"""Extracts: the books they show are the engine's, in every form that they are shown in."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from captures import SAMPLES, captures, python, reports
from hypothesis import given, settings
from hypothesis import strategies as st

import gapless

ONE = SAMPLES / "binance_usdm.cap.zst"
GAP = SAMPLES / "binance_usdm_gap.cap.zst"
MANY = [SAMPLES / name for name in ("bybit.cap.zst", "okx.cap.zst", "binance_spot.cap.zst")]
KEYS = ("venue", "symbol", "venue_channel", "source")
EXTRACTS = (gapless.books, gapless.deltas, gapless.trades, gapless.liquidations, gapless.funding)


def recordings() -> list[Path]:
    """Every recording there is, in every format."""
    found = captures() + sorted(SAMPLES.glob("tardis*[tnv].*"))
    return [path for path in found if "expected" not in path.name]


def ids(path: Path) -> str:
    return f"{path.parent.name}-{path.name}"


def plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rebuilt(table: gapless.Table) -> dict[tuple[str, ...], tuple[str, str] | None]:
    """Books put together from rows of deltas, as canonical hash and first prices."""
    scale = table.scale("price"), table.scale("size")
    books: dict[tuple[str, ...], dict[str, dict[int, int]] | None] = {}
    rows = zip(*(words(table, name) for name in KEYS), strict=True)
    numbers = (table[name].tolist() for name in ("price", "size", "last"))
    values = zip(words(table, "kind"), words(table, "side"), *numbers, strict=True)
    fresh: dict[tuple[str, ...], bool] = defaultdict(lambda: True)
    for key, (kind, side, price, size, last) in zip(rows, values, strict=True):
        if kind == "void":
            books[key] = None
            continue
        if kind == "snapshot" and fresh[key]:
            books[key] = {"bid": {}, "ask": {}}
        fresh[key] = bool(last)
        book = books[key]
        assert book is not None, "a delta of a book that is not live"
        if side == "none":
            continue
        book[side][price] = size
        if size == 0:
            del book[side][price]
    return {key: book and digest(book, *scale) for key, book in books.items()}


def words(table: gapless.Table, name: str) -> list[str]:
    known = table.categories(name)
    return [known[code] for code in table[name].tolist()]


def digest(book: dict[str, dict[int, int]], price: int | None, size: int | None) -> str:
    """SHA-256 of the canonical text of a book."""
    lines = []
    for side, sign in (("bid", -1), ("ask", 1)):
        for level in sorted(book[side], key=lambda p: sign * p):
            shown = Decimal(level).scaleb(-(price or 0)), Decimal(book[side][level])
            lines.append(f"{side} {plain(shown[0])} {plain(shown[1].scaleb(-(size or 0)))}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("path", recordings(), ids=ids)
def test_books_of_deltas_are_the_books_of_the_engine(path: Path) -> None:
    try:
        found = rebuilt(gapless.deltas(path))
    except gapless.ScaleError:
        # No one scale fits the sizes of all its symbols.
        symbols = {report["symbol"] for report in reports(path)}
        tables = [gapless.deltas(path, symbols=symbol) for symbol in symbols]
        found = {key: book for table in tables for key, book in rebuilt(table).items()}
    told = [report for report in reports(path) if report["state"] == "live"]
    for report in told:
        key = (report["venue"], report["symbol"], report["channel"], report["source"])
        assert found[key] == report["book_sha256"], key
    assert sum(book is not None for book in found.values()) == len(told)


@pytest.mark.parametrize("path", recordings(), ids=ids)
def test_the_last_row_is_the_top_of_the_engine_s_book(path: Path) -> None:
    frame = pl.DataFrame(gapless.books(path, numbers="decimal"))
    frame = frame.with_columns(pl.col(KEYS).cast(pl.String))
    rows = frame.group_by(KEYS, maintain_order=True).last().to_dicts()
    last = {tuple(row[n] for n in KEYS): row for row in rows}
    for report in reports(path):
        key = tuple(report[n] for n in ("venue", "symbol", "channel", "source"))
        if report["state"] != "live":
            assert key not in last or last[key]["live"] == 0
            continue
        row = last[key]
        assert row["live"] == 1
        for side in ("bid", "ask"):
            best = report[f"best_{side}"]
            shown = (row[f"{side}_price"], row[f"{side}_size"])
            assert shown == (tuple(map(Decimal, best)) if best else (None, None)), key


@pytest.mark.parametrize("path", recordings(), ids=ids)
def test_arrow_numpy_and_the_iterator_say_the_same(path: Path) -> None:
    for extract in EXTRACTS:
        kind: Any = extract.__name__
        table = extract(path, numbers="float")
        arrow = pa.table(table)
        rows = table.to_numpy()
        for name in rows.dtype.names or ():
            column, view = table[name], rows[name]
            assert not column.flags.writeable and not view.flags.writeable
            assert column.tobytes() == np.ascontiguousarray(view).tobytes()
            if arrow[name].null_count == 0 and pa.types.is_integer(arrow[name].type):
                assert (arrow[name].to_numpy() == column).all()
        with gapless.replay(path, kinds=kind, numbers="float", batch_rows=1000) as batches:
            parts = [pa.table(batch) for batch in batches]
        whole = pa.concat_tables(parts) if parts else arrow.slice(0, 0)
        assert decoded(whole).equals(decoded(arrow)), kind


def decoded(table: pa.Table) -> pa.Table:
    """Words as plain text, one chunk a column."""
    names = table.schema.names
    columns = []
    for name in names:
        column = table[name].combine_chunks()
        if pa.types.is_dictionary(table[name].type):
            column = table[name].cast(pa.string()).combine_chunks()
        # Equality of floats takes NaN for unequal.
        if pa.types.is_floating(column.type):
            column = pa.array(column.to_numpy(zero_copy_only=False).view(np.int64))
        columns.append(column)
    return pa.table(columns, names=names)


def test_a_column_is_a_view_of_the_memory_that_arrow_shows() -> None:
    table = gapless.books(ONE)
    prices = table["bid_price"]
    array = pa.table(table)["bid_price"].chunk(0)
    assert prices.ctypes.data == array.buffers()[1].address + 8 * array.offset
    with pytest.raises(ValueError, match="read-only"):
        prices[0] = 1
    del table
    assert prices.sum() != 0  # the memory outlives the table


def test_numbers_are_exact_and_their_scale_is_in_the_schema() -> None:
    integers = gapless.books(ONE)
    floats = gapless.books(ONE, numbers="float")
    decimals = pa.table(gapless.books(ONE, numbers="decimal"))
    scale = integers.scale("bid_price")
    field = pa.schema(integers).field("bid_price")
    assert field.metadata[b"scale"] == str(scale).encode()
    assert integers.unit("bid_price") == "price" and integers.unit("recv_ns") == "ns"
    exact = [None if v is None else Decimal(v).scaleb(-scale) for v in column(integers)]
    assert exact == decimals["bid_price"].to_pylist()
    near = [float("nan") if v is None else float(v) for v in exact]
    assert np.array_equal(floats["bid_price"], near, equal_nan=True)
    assert decimals.schema.field("bid_price").type == pa.decimal128(38, 18)
    assert pa.table(integers)["recv_ns"].type == pa.timestamp("ns", "UTC")


def column(table: gapless.Table, name: str = "bid_price") -> list[int | None]:
    return pa.table(table)[name].to_pylist()


def test_every_library_reads_a_table() -> None:
    table = gapless.books(ONE, numbers="float", depth=3)
    frame = pl.DataFrame(table)
    assert len(frame) == len(table)
    assert frame.columns == table.columns and frame["bid_price_2"].dtype == pl.Float64
    assert frame["symbol"].cast(pl.String).unique().to_list()
    rows = table
    shown = duckdb.sql("select count(*), max(ask_price_0) from rows").fetchall()[0]
    assert rows is table
    assert shown[0] == len(table)
    assert len(pa.record_batch(table)) == len(table)
    assert pa.table(table).to_pandas().shape == (len(table), len(table.columns))


def test_batches_of_one_kind_are_an_arrow_stream() -> None:
    whole = decoded(pa.table(gapless.trades(MANY)))
    stream = gapless.replay(MANY, kinds="trades", batch_rows=100, price_scale=12, size_scale=8)
    assert len(pl.DataFrame(stream)) == len(whole)
    with pytest.raises(gapless.ClosedError):
        next(stream)
    several = gapless.replay(MANY)
    with pytest.raises(ValueError, match="several kinds"):
        pa.table(several)
    assert {batch.kind for batch in several} >= {"deltas", "trades", "states"}
    empty = pa.table(gapless.replay(ONE, kinds="trades", start=2**62))
    assert len(empty) == 0 and "price" in empty.schema.names


def test_several_files_are_merged_by_receive_time_in_every_way_of_reading() -> None:
    table = gapless.books(MANY, numbers="float")
    assert (np.diff(table["recv_ns"]) >= 0).all()
    parts = [pa.table(b) for b in gapless.replay(MANY, kinds="books", numbers="float")]
    assert decoded(pa.concat_tables(parts)).equals(decoded(pa.table(table)))
    loose = [
        decoded(pa.table(b))
        for b in gapless.replay(MANY, kinds="books", numbers="float", ordered=False)
    ]
    order = [("input", "ascending"), ("recv_ns", "ascending")]
    both = [pa.concat_tables(loose).sort_by(order), decoded(pa.table(table)).sort_by(order)]
    assert len(both[0]) == len(both[1])
    assert both[0]["bid_price"].equals(both[1]["bid_price"])


def test_a_book_that_is_not_live_has_a_row_without_levels() -> None:
    table = gapless.books(GAP)
    live = table["live"]
    assert (live == 0).any()
    hollow = pa.table(table).filter(pa.array(live == 0))
    assert hollow["bid_price"].null_count == hollow["ask_size"].null_count == len(hollow)
    states = pl.DataFrame(gapless.states(GAP))
    gaps = states.filter(pl.col("verdict").cast(pl.String) == "gap")
    assert len(gaps) >= 1 and (gaps["got"] != gaps["expected"]).all()
    told = sum(report["gaps"] for report in reports(GAP))
    assert len(gaps) == told
    kinds = gapless.deltas(GAP)
    assert "void" in kinds.categories("kind")


def test_rows_on_a_clock_are_the_books_as_they_were() -> None:
    every = 50_000_000
    clock = pl.DataFrame(gapless.books(ONE, on="50ms"))
    changes = pl.DataFrame(gapless.books(ONE))
    assert (clock["recv_ns"].dt.epoch("ns") % every == 0).all()
    keys = ["venue", "symbol", "venue_channel", "source"]
    clock = clock.with_columns(pl.col(keys).cast(pl.String)).sort("recv_ns")
    changes = changes.with_columns(pl.col(keys).cast(pl.String))
    changes = changes.sort("recv_ns", maintain_order=True)
    joined = clock.join_asof(changes, on="recv_ns", by=keys, suffix="_then", check_sortedness=False)
    unseen = joined.filter(pl.col("live_then").is_null())
    assert (unseen["live"] == 0).all()
    joined = joined.filter(pl.col("live_then").is_not_null())
    assert len(joined) > 100
    for name in ("bid_price", "ask_price", "bid_size", "ask_size", "live"):
        assert joined[name].equals(joined[f"{name}_then"], null_equal=True), name


def test_rows_on_trades_stand_before_the_trade() -> None:
    trades = pl.DataFrame(gapless.trades(MANY))
    rows = pl.DataFrame(gapless.books(MANY, on="trade"))
    assert len(rows) > 0
    times = set(trades["recv_ns"].to_list())
    assert set(rows["recv_ns"].to_list()) <= times


def test_a_part_is_cut_out_by_time_and_symbol() -> None:
    whole = gapless.books(ONE)
    times = whole["recv_ns"]
    start, end = int(times[len(times) // 3]), int(times[2 * len(times) // 3])
    part = gapless.books(ONE, start=start, end=end)
    inside = (times >= start) & (times < end)
    assert len(part) == inside.sum()
    assert (part["bid_price"] == whole["bid_price"][inside]).all()
    at = datetime.fromtimestamp(start // 10**9, tz=timezone.utc)
    assert len(gapless.books(ONE, start=at)) == (times >= at.timestamp() * 10**9).sum()
    symbol = whole.categories("symbol")[0]
    assert gapless.books(ONE, symbols=symbol).categories("symbol") == [symbol]
    assert len(gapless.books(ONE, symbols=["none such"])) == 0


@pytest.mark.parametrize("path", recordings(), ids=ids)
def test_a_round_trip_through_parquet_is_exact(path: Path, tmp_path: Path) -> None:
    numbers: Any = "int"
    kinds: Any = {"kinds": ["books", "trades"], "batch_rows": 2000}
    try:
        files = gapless.to_parquet(path, tmp_path, **kinds)
    except gapless.ScaleError:
        # The first batch does not know what the next ones hold, or no one scale fits all symbols.
        numbers = "decimal"
        files = gapless.to_parquet(path, tmp_path, numbers=numbers, **kinds)
    wanted = 0
    for kind, extract in (("books", gapless.books), ("trades", gapless.trades)):
        table = extract(path, numbers=numbers)
        memory = pl.DataFrame(table).with_columns(pl.col(pl.Categorical).cast(pl.String))
        wanted += len(memory)
        for file, rows in files:
            parts = dict(part.split("=", 1) for part in file.parent.relative_to(tmp_path).parts)
            if parts["channel"] != kind:
                continue
            stored = pl.read_parquet(file)
            assert len(stored) == rows
            venue, symbol = unquoted(parts["venue"]), unquoted(parts["symbol"])
            same = memory.filter((pl.col("venue") == venue) & (pl.col("symbol") == symbol))
            same = same.filter(pl.col("recv_ns").dt.date().cast(pl.String) == parts["date"])
            stored = stored.with_columns(pl.col(pl.Categorical).cast(pl.String))
            assert stored.equals(same.select(stored.columns), null_equal=True)
            price = "bid_price" if kind == "books" else "price"
            if numbers == "int":
                scale = pq.read_schema(file).field(price).metadata[b"scale"]
                assert int(scale) == table.scale(price)
    assert sum(rows for _, rows in files) == wanted
    assert not list(tmp_path.rglob("*.unfinished"))


def unquoted(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)


def test_parquet_of_many_files_is_one_data_set(tmp_path: Path) -> None:
    files = gapless.to_parquet(MANY, tmp_path, kinds="trades", price_scale=12, size_scale=8)
    assert {file.suffix for file, _ in files} == {".parquet"}
    scan = pl.scan_parquet(tmp_path / "**/*.parquet", hive_partitioning=True).collect()
    assert len(scan) == len(gapless.trades(MANY))
    assert set(scan["venue"]) == {"bybit", "okx", "binance_spot"}
    again = gapless.to_parquet(MANY, tmp_path, kinds="trades", price_scale=12, size_scale=8)
    assert again == files


def test_a_value_that_does_not_fit_is_told_with_what_to_do() -> None:
    with pytest.raises(gapless.ScaleError, match="float"):
        list(gapless.replay(ONE, kinds="books", price_scale=0))


def test_parquet_that_fails_leaves_nothing_half_written(tmp_path: Path) -> None:
    with pytest.raises(gapless.ScaleError):
        gapless.to_parquet(ONE, tmp_path, kinds=["trades", "books"], price_scale=0, batch_rows=50)
    assert not list(tmp_path.rglob("*.unfinished"))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"numbers": "text"}, "numbers"),
        ({"depth": 0}, "depth"),
        ({"depth": 5000}, "depth"),
        ({"on": "never"}, "on must be"),
        ({"on": "0s"}, "on must be"),
        ({"features": ["mid()"]}, "mid"),
        ({"venue": "nowhere"}, "venue"),
        ({"start": "yesterday"}, "time"),
        ({"start": datetime(2024, 1, 1)}, "time zone"),  # noqa: DTZ001
        ({"errors": "ignore"}, "errors"),
    ],
)
def test_wrong_arguments_say_what_is_wanted(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        gapless.books(ONE, **arguments)


def test_wrong_types_and_columns_are_refused() -> None:
    table = gapless.books(ONE)
    with pytest.raises(KeyError, match="bid_price"):
        table["no such"]
    with pytest.raises(TypeError, match="Arrow"):
        gapless.trades(MANY)["id"]
    with pytest.raises(TypeError):
        gapless.books(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a time must be"):
        gapless.books(ONE, start=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="words"):
        table.categories("bid_price")
    with pytest.raises(ValueError, match="kinds"):
        gapless.replay(ONE, kinds="ticks")  # type: ignore[arg-type]


def test_what_cannot_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(gapless.InputError, match="no such file"):
        gapless.books(tmp_path / "none.cap")
    broken = tmp_path / "bybit" / "broken.cap.zst"
    broken.parent.mkdir()
    broken.write_bytes(b"\x28\xb5\x2f\xfd garbage")
    with pytest.raises(gapless.InputError, match="broken.cap.zst"):
        gapless.books(broken)
    with pytest.warns(RuntimeWarning, match="broken.cap.zst"):
        table = gapless.books([broken, ONE], errors="warn")
    assert len(table) == len(gapless.books(ONE))
    with pytest.warns(RuntimeWarning, match="broken.cap.zst") as told:
        gapless.to_parquet([broken, ONE], tmp_path, kinds="books", errors="warn")
    assert [warning.filename for warning in told] == [__file__]
    batches = gapless.replay([broken, ONE], errors="warn")
    assert sum(map(len, batches)) > 0 and "broken.cap.zst" in batches.skipped[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=80).filter(lambda line: b"\n" not in line), max_size=8))
def test_no_file_breaks_a_replay(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("okx")
    path = folder / "hostile.cap"
    head = b"1\tC\tws\twss://ws.okx.com:8443/ws/v5/public\n"
    path.write_bytes(head + b"".join(b"2\tR\tws\t" + line + b"\n" for line in lines))
    try:
        assert len(gapless.books(path)) == 0
    except gapless.InputError as error:
        assert "hostile.cap" in str(error)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5000),
    st.integers(1, 12),
    st.sampled_from(["int", "float", "decimal"]),
    st.booleans(),
)
def test_the_size_of_batches_changes_nothing(
    batch_rows: int, depth: int, numbers: Any, ordered: bool
) -> None:
    kinds = {"kinds": "books", "depth": depth, "numbers": numbers, "ordered": ordered}
    scales = {"price_scale": 12, "size_scale": 8}
    parts = gapless.replay(ONE, batch_rows=batch_rows, **kinds, **scales)  # type: ignore[arg-type]
    rows = sum(len(part) for part in parts)
    assert rows == len(gapless.books(ONE, depth=depth))


def test_tables_are_pickled_and_copied_whole() -> None:
    table = gapless.trades(MANY)
    again = pickle.loads(pickle.dumps(table))
    assert pa.table(again).equals(pa.table(table)) and again.kind == "trades"
    assert again.scale("price") == table.scale("price")


def test_closed_batches_say_so_and_threads_are_told_apart() -> None:
    batches = gapless.replay(ONE)
    batches.close()
    with pytest.raises(gapless.ClosedError):
        next(batches)
    with pytest.raises(gapless.ClosedError):
        _ = batches.progress


def test_threads_that_share_batches_take_each_once() -> None:
    batches = gapless.replay(ONE, kinds="deltas", numbers="float", batch_rows=200)
    taken: list[int] = []

    def take() -> None:
        for batch in batches:
            taken.append(len(batch))

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == len(gapless.deltas(ONE)) and len(taken) > 3


def test_closing_ends_the_loop_of_another_thread(tmp_path: Path) -> None:
    batches = gapless.replay(copies(tmp_path, 500), kinds="books", depth=50)
    ended: list[BaseException] = []

    def take() -> None:
        try:
            for _ in batches:
                pass
        except gapless.ClosedError as error:
            ended.append(error)

    thread = threading.Thread(target=take)
    thread.start()
    time.sleep(0.3)
    batches.close()
    thread.join(20)
    assert len(ended) == 1 and not thread.is_alive()


def test_a_child_of_a_fork_has_no_batches(tmp_path: Path) -> None:
    copies(tmp_path, 50)
    done = python(f"""
import gapless, os, warnings
warnings.simplefilter("ignore")
batches = gapless.replay({str(tmp_path)!r}, kinds="books", numbers="float", batch_rows=100)
next(batches)
child = os.fork()
if child == 0:
    try:
        next(batches)
    except gapless.ClosedError as error:
        assert "forked" in str(error)
        assert len(gapless.books({str(ONE)!r})) > 0
        raise SystemExit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert sum(1 for _ in batches) > 0
print("both")
""")
    assert done.stdout == "both\n", done.stderr


def test_batches_that_hold_themselves_are_let_go(tmp_path: Path) -> None:
    copies(tmp_path, 500)
    done = python(f"""
import gapless, gc, os, time
def begin():
    known = []
    def told(read, total):
        known[0].progress
    words = {{"kinds": "books", "numbers": "float", "batch_rows": 100}}
    known.append(gapless.replay({str(tmp_path)!r}, progress=told, **words))
    next(known[0])
begin()
gc.collect()
deadline = time.monotonic() + 20
while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < deadline:
    time.sleep(0.05)
print(len(os.listdir("/proc/self/task")))
""")
    assert done.stdout == "1\n", done.stdout + done.stderr


def test_an_array_of_a_table_is_a_copy_where_one_is_asked_for() -> None:
    table = gapless.books(ONE)
    rows = np.array(table)
    rows["bid_price"][0] = 1
    assert table["bid_price"][0] != 1
    assert not np.asarray(table).flags.writeable
    with pytest.raises(ValueError, match="copy"):
        np.asarray(table, copy=False)


def test_many_threads_may_extract_at_once() -> None:
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(len(gapless.books(ONE)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1 and len(results) == 4


def test_other_threads_of_python_run_while_rust_reads() -> None:
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0)

    thread = threading.Thread(target=tick)
    thread.start()
    gapless.books(MANY * 4, depth=50)
    done.set()
    thread.join()
    assert ticks > 100


def copies(folder: Path, count: int) -> list[Path]:
    """One recording many times: one file under two names, by a link or not, is read once."""
    paths = [folder / f"{at}-{ONE.name}" for at in range(count)]
    shutil.copyfile(ONE, paths[0])
    for path in paths[1:]:
        path.hardlink_to(paths[0])
    return paths


def test_an_interrupt_ends_an_extract(tmp_path: Path) -> None:
    copies(tmp_path, 2000)
    code = (
        "import gapless, sys\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    for _ in gapless.replay(sys.argv[1], depth=100, kinds='books', ordered=False):\n"
        "        pass\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    line = [sys.executable, "-c", code, str(tmp_path)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert out == "interrupted\n"


def test_progress_is_told_in_bytes() -> None:
    told: list[tuple[int, int | None]] = []
    gapless.books(MANY, progress=lambda read, total: told.append((read, total)))
    size = sum(path.stat().st_size for path in MANY)
    assert told[-1] == (size, size)
    assert [read for read, _ in told] == sorted(read for read, _ in told)

    def fails(read: int, total: int | None) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        gapless.books(MANY, progress=fails)


def test_a_bar_is_shown_when_asked(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    gapless.books(ONE, progress=True)
    assert "B/s" in capfd.readouterr().err


def test_memory_is_bounded_by_the_batches(tmp_path: Path) -> None:
    paths = copies(tmp_path, 100)
    peak = 0
    with gapless.replay(paths, kinds="books", depth=20, batch_rows=2000, ordered=False) as batches:
        for at, _ in enumerate(batches):
            if at == 20:
                start = resident()
            if at > 20:
                peak = max(peak, resident() - start)
    assert peak < 64 << 20, peak


def test_extracts_keep_no_memory() -> None:
    def calls(n: int) -> None:
        for _ in range(n):
            table = gapless.books(ONE)
            table.to_numpy()
            pa.table(table)
            table["bid_price"].sum()

    calls(10)
    start = resident()
    calls(40)
    assert resident() - start < 16 << 20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
