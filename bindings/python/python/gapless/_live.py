"""Books that threads of Rust keep, and what happens to them: from Python's threads or its loops."""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

from gapless import _gapless
from gapless._gapless import ClosedError, EngineError, Event, Reader
from gapless._types import BookInfo, Lost, SourceStatus

Topic: TypeAlias = Literal["trades", "liquidations", "funding", "states", "updates"]
Slow: TypeAlias = Literal["raise", "drop", "latest"]

TOPICS: tuple[Topic, ...] = ("trades", "liquidations", "funding", "states")

#: Seconds that a loop or a thread waits at most for one answer.
_LOOK = 0.05
#: Events that may wait for their receiver, of each thread of the engine.
_CAPACITY = 8_192
_LOG = logging.getLogger("gapless")
_ENGINES: weakref.WeakSet[Engine] = weakref.WeakSet()


class Engine:
    """Keeps books on threads of its own, as its configuration says.

    ``config``: a mapping, or text in JSON or TOML: ``{"sources": [{"replay": ["samples/"]}]}``.

    >>> with gapless.Engine(config) as engine:
    ...     book = engine.book("okx:BTC-USDT-SWAP", timeout=5)
    ...     print(book.best_bid, book.best_ask)

    Leaving the block stops the threads; readers say then that their book is closed. Methods may be
    called from any thread. A child of a fork has no engine: make one there. An engine that is still
    open when the interpreter exits is closed.
    """

    def __init__(self, config: str | Mapping[str, Any], /) -> None:
        text = config if isinstance(config, str) else json.dumps(config)
        self._engine = _gapless._Engine(text)
        self._closed = threading.Event()
        self._callers: list[_Caller] = []
        weakref.finalize(self, self._closed.set)
        _ENGINES.add(self)

    def start(self) -> None:
        """Starts the threads. Raises EngineError for a source that cannot be had."""
        self._engine.start()

    def stop(self) -> None:
        """Stops the threads and waits for them; ``start`` begins anew. Raises as ``close``."""
        self._engine.stop()
        self._surface()

    def close(self) -> None:
        """Stops for good, and waits until callbacks had what came before.

        Raises what a callback of ``on`` raised, if that was not raised yet.
        """
        self._end(None)
        self._surface()

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, error: object, *_rest: object) -> None:
        self._end(None)
        if error is None:
            self._surface()

    def join(self, timeout: float | None = None) -> bool:
        """Waits until every source was read to its end.

        False after ``timeout`` seconds, or if the engine is closed meanwhile. Raises as ``close``.
        """
        was_closed = self._closed.is_set()
        try:
            ended = self._engine.join(timeout)
        except ClosedError:
            if was_closed:
                raise
            ended = False
        self._surface()
        return ended

    def books(self) -> list[BookInfo]:
        """Every published book with its state."""
        return self._engine.books()

    def status(self) -> list[SourceStatus]:
        """How the sources fare."""
        return self._engine.status()

    def book(
        self,
        name: str,
        /,
        *,
        timeout: float = 0.0,
        numbers: Literal["float", "decimal", "int"] = "float",
    ) -> Reader[Any]:
        """A reader of the book ``VENUE:SYMBOL`` (``…@CHANNEL`` where there are several).

        Waits ``timeout`` seconds for one that has not appeared. Raises EngineError.
        """
        return self._engine.book(name, timeout, numbers)

    def events(
        self,
        *topics: Topic,
        instruments: str | Iterable[str] | None = None,
        slow: Slow = "raise",
        capacity: int = _CAPACITY,
        numbers: Literal["float", "decimal"] = "float",
    ) -> Events:
        """What happens from now on, for ``for`` and ``async for``; ask before ``start`` for all.

        ``topics``: ``"trades"``, ``"liquidations"``, ``"funding"``, ``"states"`` (a book's state,
        reason or epoch), ``"updates"`` (any change of a book); none: the first four.
        ``instruments``: ``VENUE[.MARKET]:SYMBOL``, one or several; None: all.

        ``capacity`` events of each thread of the engine wait for their receiver, at most 2**20. One
        that is slower than they come is told so (``"raise"``: EngineError), loses the oldest
        (``"drop"``, counted by ``Events.lost``), or is given the latest of each name and topic
        (``"latest"``). The engine never waits. Raises EngineError, ClosedError, ValueError.
        """
        names = [instruments] if isinstance(instruments, str) else instruments
        names = None if names is None else list(names)
        wanted = list(topics or TOPICS)
        return Events(self._engine.subscribe(wanted, names, capacity, slow, numbers))

    def on(
        self,
        topics: Topic | Iterable[Topic],
        callback: Callable[[Any], object],
        /,
        *,
        instruments: str | Iterable[str] | None = None,
        slow: Slow = "raise",
        capacity: int = _CAPACITY,
        numbers: Literal["float", "decimal"] = "float",
    ) -> None:
        """Calls ``callback(event)`` for each event, on one thread of Python for this callback.

        It is called until the engine is closed. What it raises ends its calls, is logged at once
        (logger ``gapless``) and raised by the next ``join``, ``stop`` or ``close``, or by leaving
        the ``with`` block. So is EngineError where it is too slow. Arguments as of ``events``.
        """
        wanted = (topics,) if isinstance(topics, str) else tuple(topics)
        events = self.events(
            *wanted, instruments=instruments, slow=slow, capacity=capacity, numbers=numbers
        )
        caller = _Caller(events, callback, self._closed)
        self._callers.append(caller)
        caller.start()

    def add(self, name: str, /) -> None:
        """Publishes the books of this name, now or when they appear."""
        self._engine.add(name)

    def remove(self, name: str, /) -> None:
        """Ends the publication of the books of this name; they are kept on."""
        self._engine.remove(name)

    def _end(self, timeout: float | None) -> None:
        self._engine.close()
        self._closed.set()
        for caller in self._callers:
            if caller is not threading.current_thread():
                caller.join(timeout)

    def _surface(self) -> None:
        """Raises what a callback raised, once."""
        for caller in self._callers:
            error, caller.error = caller.error, None
            if error is not None:
                raise error

    def __repr__(self) -> str:
        if self._closed.is_set():
            return "<gapless.Engine closed>"
        sources = ", ".join(f"{s['name']} {s['state']}" for s in self.status())
        return f"<gapless.Engine {len(self.books())} books; {sources}>"

    def __reduce__(self) -> Any:
        raise TypeError("an Engine is a live handle and cannot be pickled; send its configuration")


class Events:
    """Events of an engine, in the order of their receipt, for ``for`` and ``async for``.

    They end when every source has, or the engine stops; once it starts again they go on. A loop
    that is left, or a task that is cancelled, loses nothing: the next one goes on from there. One
    thread or task at a time should take them. ``close()``, leaving the ``with`` block or forgetting
    them ends the subscription.
    """

    def __init__(self, subscription: _gapless._Subscription, /) -> None:
        self._subscription = subscription
        self._ready: deque[Any] = deque()
        # A wait that was cancelled goes on in its thread for a moment: the next one stands behind.
        self._order = threading.Lock()

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Any:
        while not self._ready:
            if not self._look(1.0):
                raise StopIteration
        return self._ready.popleft()

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Any:
        # What a cancelled wait has found stays in the queue, since the thread puts it there.
        while not self._ready:
            loop = asyncio.get_running_loop()
            if not await loop.run_in_executor(None, self._look, _LOOK):
                raise StopAsyncIteration
        return self._ready.popleft()

    def get(self, timeout: float = 0.0) -> Event | None:
        """The next event, waited for ``timeout`` seconds; None if there was none, or at the end."""
        if not self._ready:
            self._look(timeout)
        return self._ready.popleft() if self._ready else None

    @property
    def lost(self) -> Lost:
        """How many events were lost (``"drop"``), or replaced by later ones (``"latest"``)."""
        _, lost, replaced = self._subscription.counts()
        return {"lost": lost, "replaced": replaced}

    def _look(self, timeout: float) -> bool:
        """Takes what there is, waiting so long for the first; False at the end."""
        with self._order:
            batch = self._subscription.next(timeout)
            self._ready.extend(batch or ())
        return batch is not None

    def close(self) -> None:
        """Ends the subscription; what came before can be taken still."""
        self._subscription.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("Events are a live handle and cannot be pickled; ask the engine again")


class _Caller(threading.Thread):
    """Calls one callback; a daemon, so that one which never returns does not hold the process."""

    def __init__(
        self, events: Events, callback: Callable[[Any], object], closed: threading.Event
    ) -> None:
        name = getattr(callback, "__qualname__", "callback")
        super().__init__(name=f"gapless {name}", daemon=True)
        self._events, self._callback, self._closing = events, callback, closed
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while True:
                # Once closed nothing comes any more, and what is there is had at once.
                closing = self._closing.is_set()
                for event in self._events:
                    self._callback(event)
                if closing:
                    return
                self._closing.wait(_LOOK)
        except BaseException as error:
            self.error = error
            _LOG.exception("a callback failed and is called no more")
        finally:
            self._events.close()


@atexit.register
def _exit() -> None:
    """Ends what is open while threads may still enter the interpreter."""
    for engine in list(_ENGINES):
        engine._end(1.0)


async def updates(reader: Reader[Any], /, *, timeout: float | None = None) -> AsyncIterator[int]:
    """The versions of a book as they are published, the latest each time, for ``async for``.

    Ends after ``timeout`` seconds without one, and once the engine has closed the book.
    """
    loop = asyncio.get_running_loop()
    seen, quiet = 0, 0.0
    while timeout is None or quiet < timeout:
        version = await loop.run_in_executor(None, reader.wait, seen, _LOOK)
        if version is None:
            if reader.reason == "closed":
                return
            quiet += _LOOK
            continue
        seen, quiet = version, 0.0
        yield version


def attach(
    book: str,
    /,
    *,
    folder: str | os.PathLike[str] = "/dev/shm",
    numbers: Literal["float", "decimal", "int"] = "float",
) -> Reader[Any]:
    """A reader of a book that an engine of another process shares: ``[ENGINE/]NAME[@CHANNEL]``.

    Linux only. Raises EngineError where there is no such book, or several.
    """
    _linux()
    return _gapless._attach(book, os.fspath(folder), numbers)


def shared(*, folder: str | os.PathLike[str] = "/dev/shm") -> list[str]:
    """Names of the books that engines of this machine share. Linux only; raises EngineError."""
    _linux()
    return _gapless._shared(os.fspath(folder))


def _linux() -> None:
    if not hasattr(_gapless, "_attach"):
        raise EngineError("books are shared between processes on Linux only")
