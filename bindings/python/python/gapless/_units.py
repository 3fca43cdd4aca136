"""Units of work over many files: one file each, written under a name that says which it was.

A unit done twice writes the same files again, so that it may be retried, or run on two machines.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from glob import glob
from pathlib import Path
from typing import Any, NamedTuple


class Report(NamedTuple):
    """What came of one file: the files written with their rows, or the error."""

    path: str
    written: list[tuple[Path, int]]
    error: str | None

    @property
    def rows(self) -> int:
        """Rows written."""
        return sum(rows for _, rows in self.written)


def inputs(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    """The files behind paths and patterns, each once, in order. Raises FileNotFoundError."""
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    found: list[str] = []
    for path in [os.fspath(path) for path in paths]:
        files = [path] if os.path.isfile(path) else sorted(glob(path, recursive=True))
        if not files:
            raise FileNotFoundError(f"{path}: no such file, and no pattern that fits one")
        found += [os.path.abspath(file) for file in files if os.path.isfile(file)]
    return list(dict.fromkeys(found))


def name(path: str) -> str:
    """Name of the files of a unit: the same on every machine that has the input at that path."""
    stem = os.path.basename(path).split(".")[0]
    return f"{stem}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def to_parquet(path: str, folder: str, options: dict[str, Any]) -> list[tuple[Path, int]]:
    """One unit."""
    import gapless

    return gapless.to_parquet(path, folder, name=name(path), **options)


def apply(path: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """One unit of another function of one path."""
    return function(path, **arguments)
