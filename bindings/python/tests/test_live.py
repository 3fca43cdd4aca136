"""Engines: books that change under their readers, in threads, loops, processes and forks."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from captures import SAMPLES, python, reports

import gapless

ONE = SAMPLES / "okx.cap.zst"
FAST = {"sources": [{"replay": [str(ONE)], "name": "fast"}]}
SLOW = {"sources": [{"replay": [str(ONE)], "speed": 1, "name": "slow"}]}


def names() -> list[str]:
    found = [f"{r['venue']}:{r['symbol']}" for r in reports(ONE) if r["state"] == "live"]
    return list(dict.fromkeys(found))


def test_an_engine_ends_with_the_books_of_the_command() -> None:
    with gapless.Engine(FAST) as engine:
        assert engine.join(30)
        assert engine.status()[0]["state"] == "ended"
        told = {f"{r['venue']}:{r['symbol']}": r for r in reports(ONE) if r["state"] == "live"}
        for info in engine.books():
            if info["name"] not in told:
                continue
            book = engine.book(info["full_name"], numbers="decimal")
            best = told[info["name"]]["best_bid"]
            if info["channel"] == told[info["name"]]["channel"]:
                assert book.best_bid is not None and [f"{v:f}" for v in book.best_bid] == best
            assert book.depth(5)[0][0] == book.best_bid == book.top()[0]
    assert book.state == "stale" and book.reason == "closed"
    with pytest.raises(gapless.NotLiveError, match="closed"):
        _ = book.best_ask
    with pytest.raises(gapless.ClosedError):
        engine.books()


def test_a_configuration_may_be_text_and_a_wrong_one_says_where() -> None:
    toml = f'[[sources]]\nreplay = ["{ONE}"]\n'
    with gapless.Engine(toml) as engine:
        assert engine.join(30)
    with pytest.raises(gapless.EngineError, match="no_such"):
        gapless.Engine({"no_such": 1, "sources": []})
    with pytest.raises(gapless.EngineError, match="nothing"), gapless.Engine(
        {"sources": [{"replay": ["nothing/here"]}]}
    ):
        pass
    with gapless.Engine(FAST) as engine, pytest.raises(gapless.EngineError, match="no:BOOK"):
        engine.book("no:BOOK")


def test_a_running_loop_goes_on_while_updates_are_awaited() -> None:
    async def main() -> tuple[int, int]:
        beats, versions = 0, 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.005)

        task = asyncio.create_task(beat())
        with gapless.Engine(SLOW) as engine:
            name = names()[0]
            book = await asyncio.to_thread(engine.book, name, timeout=10)
            async for _ in gapless.updates(book, timeout=2):
                versions += 1
                if versions == 5:
                    break
        task.cancel()
        return beats, versions

    beats, versions = asyncio.run(main())
    assert versions == 5 and beats > 5


def test_updates_end_with_the_engine() -> None:
    async def main() -> int:
        with gapless.Engine(FAST) as engine:
            assert engine.join(30)
            book = engine.book(names()[0])
        return len([version async for version in gapless.updates(book)])

    assert asyncio.run(asyncio.wait_for(main(), 20)) <= 1


def test_readers_of_many_threads_see_whole_books() -> None:
    wrong: list[object] = []
    with gapless.Engine(SLOW) as engine:
        book = engine.book(names()[0], timeout=10)
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                try:
                    bid, ask = book.top()
                    if bid and ask and not bid[0] < ask[0]:
                        wrong.append((bid, ask))
                except gapless.NotLiveError:
                    pass

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        stop.set()
        for thread in threads:
            thread.join()
        assert book.wait(0) is not None and "okx" in repr(book) and "Engine" in repr(engine)
    assert not wrong


def test_a_book_is_attached_from_another_process(tmp_path: Path) -> None:
    shared = {**SLOW, "share": "maker", "share_folder": str(tmp_path)}
    name = names()[0]
    code = (
        "import gapless, sys\n"
        "book = gapless.attach(sys.argv[1], folder=sys.argv[2])\n"
        "assert gapless.shared(folder=sys.argv[2])\n"
        "print(book.name, book.state, book.top(last_known=True)[0][0] > 0)\n"
    )
    with gapless.Engine(shared) as engine:
        engine.book(name, timeout=10).wait(0)
        full = next(i for i in gapless.shared(folder=tmp_path) if name in i)
        line = [sys.executable, "-c", code, full, str(tmp_path)]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.startswith(name) and done.stdout.endswith("True\n"), done.stderr
    with pytest.raises(gapless.EngineError):
        gapless.attach("no:BOOK", folder=tmp_path)


def test_closing_ends_a_join_of_another_thread() -> None:
    engine = gapless.Engine(SLOW)
    engine.start()
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(engine.join()))
    thread.start()
    time.sleep(0.1)
    engine.close()
    thread.join(20)
    assert ended == [False]
    with pytest.raises(gapless.ClosedError):
        engine.join()


def test_handles_are_not_pickled() -> None:
    with gapless.Engine(FAST) as engine:
        engine.join(30)
        for handle in (engine, engine.book(names()[0])):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(handle)


def test_a_child_of_a_fork_is_told_and_ends_well() -> None:
    code = f"""
import os, gapless, warnings
warnings.simplefilter("ignore")
engine = gapless.Engine({FAST!r})
engine.start()
engine.join(30)
child = os.fork()
if child == 0:
    try:
        engine.books()
    except gapless.ClosedError as error:
        assert "forked" in str(error)
        with gapless.Engine({FAST!r}) as own:
            own.join(30)
            assert own.books()
        raise SystemExit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert engine.books()
engine.close()
print("both")
"""
    done = python(code)
    assert done.stdout == "both\n", done.stderr


@pytest.mark.parametrize("leave", ["pass", "book = engine.books()", "raise SystemExit"])
def test_an_interpreter_that_exits_leaves_no_engine_behind(leave: str) -> None:
    code = f"import gapless\nengine = gapless.Engine({SLOW!r})\nengine.start()\n{leave}\n"
    begun = time.monotonic()
    assert python(code).returncode == 0
    assert time.monotonic() - begun < 20


def test_a_timeout_is_a_number_of_seconds() -> None:
    with gapless.Engine(FAST) as engine:
        assert engine.join(30)
        book = engine.book(names()[0])
        nan = float("nan")
        waits = (lambda: engine.join(nan), lambda: engine.book(names()[0], timeout=nan))
        for wait in (*waits, lambda: book.wait(0, nan), lambda: engine.events().get(nan)):
            with pytest.raises(ValueError, match="number of seconds"):
                wait()
        assert book.wait(book.version, -1) is None
        assert engine.book(names()[0], timeout=float("inf")).name == book.name


def test_an_interrupt_ends_a_wait() -> None:
    code = f"""
import gapless, os, signal, threading
with gapless.Engine({SLOW!r}) as engine:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        engine.join()
    except KeyboardInterrupt:
        print("interrupted")
"""
    assert python(code).stdout == "interrupted\n"
