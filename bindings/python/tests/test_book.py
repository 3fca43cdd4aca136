"""A book in hand: what it shows, what it refuses, and that it is the engine's own book."""

from __future__ import annotations

import copy
import pickle
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from captures import captures, command, python, read, reports
from hypothesis import given, settings
from hypothesis import strategies as st

import gapless

SNAPSHOT = (
    b'{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1,"data":{"s":"BTCUSDT",'
    b'"b":[["100.0","2"],["99.5","1"]],"a":[["100.5","3"]],"u":7,"seq":1},"cts":1}'
)


def delta(u: int, price: str = "100.1", size: str = "1") -> bytes:
    text = f'"b":[["{price}","{size}"]],"a":[],"u":{u},"seq":{u}'
    head = '{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":2,"data":{"s":"BTCUSDT",'
    return f'{head}{text}}},"cts":2}}'.encode()


def live() -> gapless.Book[float]:
    book = gapless.Book("bybit", "BTCUSDT")
    assert book.apply(SNAPSHOT) == "replace"
    return book


def test_a_new_book_is_not_live_and_refuses_to_be_read() -> None:
    book = gapless.Book("bybit", "BTCUSDT")
    assert (book.state, book.reason, book.is_live) == ("syncing", "awaiting_snapshot", False)
    for read_it in (lambda: book.best_bid, lambda: book.top(), lambda: book.depth(3)):
        with pytest.raises(gapless.NotLiveError, match="awaiting_snapshot"):
            read_it()
    assert book.top(last_known=True) == (None, None)
    assert book.sha256() is None


def test_numbers_are_floats_decimals_or_integers() -> None:
    book = live()
    assert book.best_bid == (100.0, 2.0)
    assert book.top(numbers="decimal") == (
        (Decimal("100"), Decimal(2)),
        (Decimal("100.5"), Decimal(3)),
    )
    assert book.depth(5, numbers="int") == ([(1000, 2), (995, 1)], [(1005, 3)])
    assert (book.price_scale, book.size_scale) == (1, 0)
    exact = gapless.Book("bybit", "BTCUSDT", numbers="decimal")
    exact.apply(SNAPSHOT)
    assert exact.best_ask == (Decimal("100.5"), Decimal(3))


def test_a_missing_message_is_a_gap_and_the_book_says_so() -> None:
    book = live()
    assert book.apply(delta(8)) == "apply"
    assert book.best_bid == (100.1, 1.0)
    assert book.apply(delta(8)) == "stale"
    assert book.apply(delta(11)) == "gap"
    assert (book.state, book.reason, book.gap) == ("syncing", "gap", (9, 11))
    with pytest.raises(gapless.NotLiveError):
        _ = book.best_bid
    assert book.top(last_known=True)[0] == (100.1, 1.0)
    assert book.apply(SNAPSHOT) == "replace"
    assert book.is_live and book.counters["gaps"] == 1


def test_a_lost_connection_ends_the_book() -> None:
    book = live()
    book.disconnect()
    assert book.state == "syncing"
    book.apply(SNAPSHOT)
    assert book.state == "live" and book.epoch == 2


def test_levels_are_written_into_the_caller_s_array() -> None:
    book = live()
    floats = np.zeros((2, 3, 2))
    assert book.depth_into(floats) == (2, 1)
    assert floats[0, :2].tolist() == [[100.0, 2.0], [99.5, 1.0]]
    assert floats[1, 0].tolist() == [100.5, 3.0] and np.isnan(floats[1, 1:]).all()
    integers = np.ones((2, 1, 2), dtype=np.int64)
    assert book.depth_into(integers) == (1, 1)
    assert integers.tolist() == [[[1000, 2]], [[1005, 3]]]
    assert book.depth_into(np.zeros((2, 0, 2))) == (0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 2)),
        np.zeros((2, 3, 3)),
        np.zeros((2, 3, 2), dtype=np.float32),
        np.zeros((2, 3, 4))[:, :, ::2],
        [[1.0]],
        None,
    ],
)
def test_an_array_that_does_not_fit_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"\(2, n, 2\)"):
        live().depth_into(wrong)  # type: ignore[arg-type]


def test_a_read_only_array_is_not_written() -> None:
    array = np.zeros((2, 3, 2))
    array.flags.writeable = False
    with pytest.raises(TypeError, match="writable"):
        live().depth_into(array)
    assert not array.any()


def test_wrong_arguments_say_what_is_wanted() -> None:
    with pytest.raises(ValueError, match="known are"):
        gapless.Book("nowhere", "BTCUSDT")
    with pytest.raises(ValueError, match="numbers must be"):
        gapless.Book("bybit", "BTCUSDT", numbers="text")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="empty"):
        gapless.Book("bybit", "")
    with pytest.raises(TypeError, match="bytes, bytearray or str, not int"):
        live().apply(5)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        live().depth(-1)
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            copied(live())


def test_frames_may_be_bytes_bytearray_or_text() -> None:
    for frame in (SNAPSHOT, bytearray(SNAPSHOT), SNAPSHOT.decode()):
        book = gapless.Book("bybit", "BTCUSDT")
        assert book.apply(frame) == "replace"


def test_bytes_that_cannot_be_read_are_an_error_with_their_place() -> None:
    book = live()
    with pytest.raises(gapless.FrameError, match="at byte"):
        book.apply(b'{"topic":"orderbook.50.BTCUSDT","type":')
    assert issubclass(gapless.FrameError, gapless.GaplessError)
    assert book.apply(SNAPSHOT) == "replace"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(gapless.venues()))
def test_no_bytes_break_a_book(garbage: bytes, venue: str) -> None:
    book = gapless.Book(venue, "BTCUSDT")
    try:
        book.apply(garbage)
        book.snapshot(garbage)
    except gapless.FrameError:
        pass
    assert not book.is_live


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), st.integers(0, 9))))
def test_a_book_is_what_a_dictionary_would_be(steps: list[tuple[int, int, int]]) -> None:
    book, u = live(), 7
    bids, gone = {Decimal("100"): Decimal(2), Decimal("99.5"): Decimal(1)}, False
    for tick, skip, size in steps:
        u += 1 if skip else 2
        price = Decimal(900 + tick) / 10
        verdict = book.apply(delta(u, str(price), str(size)))
        gone = gone or not skip
        assert verdict == ("apply" if not gone else verdict)
        if not gone:
            bids[price] = Decimal(size)
    assert book.is_live is not gone
    if not gone:
        expected = sorted(((p, s) for p, s in bids.items() if s), reverse=True)
        assert book.depth(100, numbers="decimal")[0] == expected


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SNAPSHOT) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_read_but_never_fatal(at: int, byte: int) -> None:
    frame = bytearray(SNAPSHOT)
    frame[at] = byte
    book = gapless.Book("bybit", "BTCUSDT")
    try:
        book.apply(frame)
    except gapless.FrameError:
        assert not book.is_live


def test_a_huge_frame_is_refused() -> None:
    with pytest.raises(gapless.FrameError):
        live().apply(b"[" * (9 << 20))


@pytest.mark.parametrize("path", captures(), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_fed_by_hand_it_is_the_book_of_the_command(path: Path) -> None:
    live_ones = [report for report in reports(path) if report["state"] == "live"]
    records = list(read(path))
    for report in live_ones:
        book = gapless.Book(report["venue"], report["symbol"], channel=report["channel"])
        for record in records:
            if record.kind == "H":
                _ignore_refusals(book.snapshot, record.payload, record.source)
            elif record.source == report["source"] and record.kind in "CD":
                book.disconnect()
            elif record.source == report["source"] and record.kind == "R":
                _ignore_refusals(book.apply, record.payload)
        assert book.sha256() == report["book_sha256"], report
        assert book.counters["gaps"] == report["gaps"]


def _ignore_refusals(method: object, payload: bytes, url: str | None = None) -> None:
    try:
        if url is None:
            method(payload)  # type: ignore[operator]
        else:
            method(payload, url=url)  # type: ignore[operator]
    except gapless.FrameError:
        pass


def test_pictures_for_people() -> None:
    book = live()
    assert repr(book) == "<gapless.Book bybit:BTCUSDT live 2 @ 100 | 3 @ 100.5 seq=7>"
    html = book._repr_html_()
    assert html.count("<tr>") == 3 and "100.5" in html and "live" in html
    assert "awaiting_snapshot" in repr(gapless.Book("bybit", "X"))
    assert "&lt;b&gt;" in gapless.Book("bybit", "<b>")._repr_html_()


def test_one_book_in_many_threads_is_an_error_or_right_never_a_crash() -> None:
    book, failures = live(), []

    def work() -> None:
        for _ in range(2000):
            try:
                book.apply(SNAPSHOT)
                book.top(last_known=True)
            except RuntimeError as error:
                failures.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("borrowed" in failure for failure in failures)
    assert book.apply(SNAPSHOT) == "replace" and book.best_bid == (100.0, 2.0)


def test_a_million_calls_keep_no_memory() -> None:
    book = live()
    array = np.zeros((2, 5, 2))
    before = sys.getrefcount(array)

    def calls(n: int) -> None:
        for u in range(n):
            book.apply(SNAPSHOT)
            book.apply(delta(8, "100.2", str(u % 7)))
            _ = book.best_bid, book.top(numbers="decimal"), book.depth_into(array)
            try:
                book.apply(b"{")
            except gapless.FrameError:
                pass

    calls(5_000)
    start = _resident()
    calls(140_000)
    assert _resident() - start < 2 << 20
    assert sys.getrefcount(array) == before


def _resident() -> int:
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * 4096


def test_the_command_is_in_the_wheel() -> None:
    assert command("--version").stdout.strip() == f"gapless {gapless.__version__}"
    assert command("replay", "--no-such-choice").returncode == 2
    assert command("verify", "no/such/file").returncode == 1


def test_an_interrupt_ends_the_command() -> None:
    line = [sys.executable, "-m", "gapless", "demo", "--seconds", "120"]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (-signal.SIGINT, 130)


def test_importing_starts_no_thread() -> None:
    assert python("import os, gapless; print(len(os.listdir('/proc/self/task')))").stdout == "1\n"
