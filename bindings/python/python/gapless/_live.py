"""Books that threads of Rust keep, read while they change: from Python's threads or its loops."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from gapless import _gapless
from gapless._gapless import Reader
from gapless._types import BookInfo, SourceStatus

#: Seconds that a loop waits at most for one answer.
_LOOK = 0.05


class Engine:
    """Keeps books on threads of its own, as its configuration says.

    ``config``: a mapping, or text in JSON or TOML: ``{"sources": [{"replay": ["samples/"]}]}``.

    >>> with gapless.Engine(config) as engine:
    ...     book = engine.book("okx:BTC-USDT-SWAP", timeout=5)
    ...     print(book.best_bid, book.best_ask)

    Leaving the block stops the threads; readers say then that their book is closed. Methods may be
    called from any thread. A child of a fork has no engine: make one there.
    """

    def __init__(self, config: str | Mapping[str, Any], /) -> None:
        text = config if isinstance(config, str) else json.dumps(config)
        self._engine = _gapless._Engine(text)
        self._closed = False

    def start(self) -> None:
        """Starts the threads. Raises EngineError for a source that cannot be had."""
        self._engine.start()

    def stop(self) -> None:
        """Stops the threads and waits for them; ``start`` begins anew."""
        self._engine.stop()

    def close(self) -> None:
        """Stops for good."""
        self._closed = True
        self._engine.close()

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def join(self, timeout: float | None = None) -> bool:
        """Waits until every source was read to its end; False after ``timeout`` seconds."""
        return self._engine.join(timeout)

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

    def add(self, name: str, /) -> None:
        """Publishes the books of this name, now or when they appear."""
        self._engine.add(name)

    def remove(self, name: str, /) -> None:
        """Ends the publication of the books of this name; they are kept on."""
        self._engine.remove(name)

    def __repr__(self) -> str:
        if self._closed:
            return "<gapless.Engine closed>"
        sources = ", ".join(f"{s['name']} {s['state']}" for s in self.status())
        return f"<gapless.Engine {len(self.books())} books; {sources}>"

    def __reduce__(self) -> Any:
        raise TypeError("an Engine is a live handle and cannot be pickled; send its configuration")


async def updates(reader: Reader[Any], /, *, timeout: float | None = None) -> AsyncIterator[int]:
    """The versions of a book as they are published, the latest each time, for ``async for``.

    Ends after ``timeout`` seconds without one.
    """
    loop = asyncio.get_running_loop()
    seen, quiet = 0, 0.0
    while timeout is None or quiet < timeout:
        version = await loop.run_in_executor(None, reader.wait, seen, _LOOK)
        if version is None:
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
    return _gapless._attach(book, os.fspath(folder), numbers)


def shared(*, folder: str | os.PathLike[str] = "/dev/shm") -> list[str]:
    """Names of the books that engines of this machine share. Linux only."""
    return _gapless._shared(os.fspath(folder))
