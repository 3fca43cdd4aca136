"""Events of engines, in threads, loops and callbacks; of recordings and of live exchanges."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import time
from decimal import Decimal
from typing import Any

import pytest
from captures import SAMPLES, python
from exchanges import config, exchanges, truth

import gapless

ONE = SAMPLES / "bybit.cap.zst"
FAST = {"sources": [{"replay": [str(ONE)]}]}
SLOW = {"sources": [{"replay": [str(ONE)], "speed": 1}]}
ALL: dict[str, Any] = {"capacity": 1 << 16}


def told(*topics: Any, **words: Any) -> list[Any]:
    """Every event of the recording."""
    engine = gapless.Engine(FAST)
    events = engine.events(*topics, **{**ALL, **words})
    with engine:
        return list(events)


def test_events_are_the_rows_of_the_extracts() -> None:
    for topic, extract in (("trades", gapless.trades), ("liquidations", gapless.liquidations)):
        table = extract(ONE, numbers="float")
        events = told(topic)
        assert len(events) == len(table) > 0
        for name in ("price", "size", "recv_ns", "venue_ns", "flags"):
            assert [getattr(event, name) for event in events] == table[name].tolist(), name
        sides = table.categories("side")
        assert [event.side for event in events] == [sides[code] for code in table["side"]]
        names = [f"bybit.linear:{table.categories('symbol')[c]}" for c in table["symbol"]]
        assert [event.instrument.split(":")[1] for event in events] == [
            name.split(":")[1] for name in names
        ]
        assert {event.topic for event in events} == {topic}
        assert [event.number for event in events] == sorted({event.number for event in events})
    table = gapless.funding(ONE, numbers="float")
    events = told("funding")
    assert len(events) == len(table)
    rates = [value if value == value else None for value in table["funding_rate"].tolist()]
    assert [event.funding_rate for event in events] == rates


def test_events_know_their_kind_and_may_be_exact() -> None:
    kinds = {
        "trades": gapless.Trade,
        "liquidations": gapless.Liquidation,
        "funding": gapless.Funding,
        "states": gapless.BookChange,
    }
    events = told(numbers="decimal")
    assert {event.topic for event in events} == set(kinds)
    for event in events:
        assert type(event) is kinds[event.topic] and isinstance(event, gapless.Event)
        assert event.instrument in repr(event)
    trade = next(event for event in events if isinstance(event, gapless.Trade))
    near = next(iter(told("trades")))
    assert isinstance(trade.price, Decimal) and float(trade.price) == near.price
    assert trade.id == near.id is not None
    change = next(event for event in events if isinstance(event, gapless.BookChange))
    assert change.book.startswith(change.instrument) and change.epoch >= 0
    assert "live" in {e.state for e in events if isinstance(e, gapless.BookChange)}


def test_only_the_instruments_that_were_asked_for() -> None:
    names = sorted({event.instrument for event in told("trades")})
    assert {event.instrument for event in told("trades", instruments=names[0])} == {names[0]}
    assert told("trades", instruments=[]) == []


def test_a_loop_takes_events_while_others_run() -> None:
    async def main() -> tuple[int, list[Any]]:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.005)

        task = asyncio.create_task(beat())
        with gapless.Engine(SLOW) as engine:
            seen = []
            async for event in engine.events("trades", "updates"):
                seen.append(event)
                if len(seen) == 20:
                    break
        task.cancel()
        return beats, seen

    beats, seen = asyncio.run(main())
    assert len(seen) == 20 and beats > 3


def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    async def main() -> list[int]:
        engine = gapless.Engine(SLOW)
        events = engine.events("updates")
        numbers: list[int] = []
        with engine:
            while len(numbers) < 60:
                try:
                    event = await asyncio.wait_for(events.__anext__(), 0.002)
                except (asyncio.TimeoutError, TimeoutError):
                    continue
                numbers.append(event.number)
        return numbers

    numbers = asyncio.run(main())
    assert numbers == list(range(numbers[0], numbers[0] + 60))


def test_who_is_too_slow_is_told() -> None:
    engine = gapless.Engine(FAST)
    raises = engine.events("trades", capacity=8)
    drops = engine.events("trades", capacity=8, slow="drop")
    latest = engine.events("trades", capacity=8, slow="latest")
    with engine:
        assert engine.join(30)
        total = len(gapless.trades(ONE))
        with pytest.raises(gapless.EngineError, match="too slow"):
            list(raises)
        few = list(drops)
        assert len(few) <= 8 and len(few) + drops.lost["lost"] == total
        names = [event.instrument for event in latest]
        assert len(names) == len(set(names)) > 0
        assert len(names) + latest.lost["replaced"] == total


def test_events_are_waited_for_and_end() -> None:
    engine = gapless.Engine(FAST)
    events = engine.events("trades", **ALL)
    assert events.get(0.05) is None  # not started is not the end
    with engine, events:
        assert isinstance(events.get(5), gapless.Trade)
        assert len(list(events)) == len(gapless.trades(ONE)) - 1
        assert events.get() is None and list(events) == []
        engine.stop()
        engine.start()
        assert isinstance(events.get(5), gapless.Trade)
    with pytest.raises(gapless.ClosedError, match="closed"):
        while True:
            next(events)
    with pytest.raises(gapless.ClosedError):
        engine.events()
    never = gapless.Engine(FAST)
    events = never.events()
    never.close()
    assert list(events) == []


@pytest.mark.parametrize(
    ("topics", "words", "text"),
    [
        (["ticks"], {}, "no topic 'ticks'|no topic \"ticks\""),
        (["trades"], {"slow": "wait"}, "slow must be"),
        (["trades"], {"numbers": "int"}, "numbers"),
    ],
)
def test_wrong_words_say_what_is_wanted(topics: Any, words: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        gapless.Engine(FAST).events(*topics, **words)
    with pytest.raises(TypeError):
        gapless.Engine(FAST).events("trades", capacity="many")  # type: ignore[arg-type]


def test_a_callback_is_called_for_every_event_on_a_thread_of_its_own() -> None:
    trades: list[Any] = []
    threads: set[str] = set()

    def seen(event: Any) -> None:
        trades.append(event.price)
        threads.add(threading.current_thread().name)

    engine = gapless.Engine(FAST)
    engine.on("trades", seen, **ALL)
    with engine:
        engine.join(30)
    assert trades == gapless.trades(ONE, numbers="float")["price"].tolist()
    assert len(threads) == 1 and "seen" in threads.pop()
    assert not [t for t in threading.enumerate() if t.name.startswith("gapless")]


def test_what_a_callback_raises_surfaces(caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def fails(event: Any) -> None:
        calls.append(event)
        raise LookupError("wrong turn")

    engine = gapless.Engine(SLOW)
    engine.on(["trades", "updates"], fails)
    with caplog.at_level(logging.ERROR, "gapless"), pytest.raises(LookupError, match="wrong turn"):
        with engine:
            deadline = time.monotonic() + 20
            while not calls and time.monotonic() < deadline:
                time.sleep(0.01)
    assert len(calls) == 1 and "called no more" in caplog.text
    engine.close()  # it was raised already
    engine = gapless.Engine(FAST)
    engine.on("trades", fails, **ALL)
    with pytest.raises(KeyError, match="the block's own"), engine:
        raise KeyError("the block's own")
    engine = gapless.Engine(FAST)
    engine.on("trades", print, capacity=1)
    with pytest.raises(gapless.EngineError, match="too slow"), engine:
        engine.join(30)


def test_a_callback_may_close_its_engine() -> None:
    engine = gapless.Engine(SLOW)
    done = threading.Event()

    def close(_event: Any) -> None:
        engine.close()
        done.set()

    engine.on("updates", close)
    engine.start()
    assert done.wait(20)


def test_handles_and_events_are_not_pickled() -> None:
    events = told("trades")
    for handle in (gapless.Engine(FAST).events(), events[0]):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(handle)
    with pytest.raises(TypeError):
        gapless.Trade()  # type: ignore[call-arg]


def test_a_child_of_a_fork_is_told_and_ends_well() -> None:
    code = f"""
import os, gapless, warnings
warnings.simplefilter("ignore")
engine = gapless.Engine({SLOW!r})
events = engine.events("updates")
called = []
engine.on("updates", called.append)
engine.start()
next(events)
child = os.fork()
if child == 0:
    try:
        while True:
            next(events)
    except gapless.ClosedError as error:
        assert "forked" in str(error)
    own = gapless.Engine({FAST!r})
    mine = own.events("trades", capacity=1 << 16)
    with own:
        assert len(list(mine)) > 100
    raise SystemExit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
next(events)
engine.close()
assert called
print("both")
"""
    done = python(code)
    assert done.stdout == "both\n", done.stderr


@pytest.mark.parametrize(
    "leave",
    [
        "engine.on('updates', lambda event: None)",
        "engine.on('updates', lambda event: time.sleep(100))",
        "threading.Thread(target=lambda: list(engine.events('updates')), daemon=True).start()",
        "threading.Thread(target=book.wait, args=(2**63, 100), daemon=True).start()",
        "threading.Thread(target=engine.join, daemon=True).start()",
    ],
)
def test_an_interpreter_exits_whatever_waits(leave: str) -> None:
    code = f"""
import gapless, threading, time
engine = gapless.Engine({SLOW!r})
engine.start()
next(engine.events("updates"))
book = engine.book(engine.books()[0]["full_name"])
{leave}
time.sleep(0.3)
print("end")
"""
    begun = time.monotonic()
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
    assert time.monotonic() - begun < 20


def test_a_notebook_awaits_events_in_its_own_loop() -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    cell = f"""
import sys, gapless
engine = gapless.Engine({SLOW!r})
events = engine.events("trades", "updates")
with engine:
    seen = 0
    async for event in events:
        seen += 1
        if seen == 10:
            break
    book = engine.book(engine.books()[0]["full_name"])
    async for version in gapless.updates(book, timeout=5):
        break
assert "nest_asyncio" not in sys.modules
seen
"""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    nbclient.NotebookClient(book, timeout=60).execute()
    assert book.cells[0].outputs[-1]["data"]["text/plain"] == "10"


def test_live_exchanges_are_read() -> None:
    with exchanges() as hosts:
        engine = gapless.Engine(config(hosts))
        trades: list[Any] = []
        engine.on("trades", trades.append)

        async def lives() -> dict[str, str]:
            """Books that came to life, and their venues' instruments."""
            found: dict[str, str] = {}
            async for event in engine.events("states"):
                if event.state == "live":
                    found[event.book] = event.instrument
                if len(found) == len(hosts):
                    break
            return found

        with engine:
            names = asyncio.run(asyncio.wait_for(lives(), 40))
            assert set(map(whose, names)) == set(hosts)
            for name in names:
                same_as_the_exchange(engine.book(name), hosts[whose(name)])
            assert {s["state"] for s in engine.status()} == {"running"}
            deadline = time.monotonic() + 20
            while len({t.instrument for t in trades}) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
        assert {trade.instrument for trade in trades} == set(names.values())


def whose(name: str) -> str:
    """The venue in a name."""
    return name.split(":")[0].split(".")[0]


def same_as_the_exchange(book: gapless.Reader[Any], host: str) -> None:
    """Compares level by level at a moment of which the exchange still knows its book."""
    symbol = book.name.split(":")[1]
    for _ in range(100):
        seq = book.seq
        bids, asks = book.depth(20, numbers="decimal")
        if book.seq != seq:
            continue
        for known in truth(host, symbol, f"?seq={seq}"):
            theirs = [[tuple(map(Decimal, level)) for level in known[s]] for s in ("bids", "asks")]
            if [side[:20] for side in theirs] == [bids, asks]:
                return
        raise AssertionError(f"{book!r} is not the exchange's at {seq}")
    raise AssertionError("never still")
