"""Units of work over many files: one file each, written under a name that says which it was.

A unit done twice writes the same files again, so that it may be retried, or run on two machines.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from glob import glob
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


class Cluster(Protocol):
    """Workers that see the files under the same paths."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Begins a call on a worker, which may be retried; a handle of it."""

    def result(self, handle: Any) -> Any:
        """Waits for the call; returns or raises what the function did."""


class Report(NamedTuple):
    """What came of one file: the files written with their rows, or the error."""

    path: str
    written: list[tuple[Path, int]]
    error: str | None

    @property
    def rows(self) -> int:
        """Rows written."""
        return sum(rows for _, rows in self.written)


def to_parquet(
    cluster: Cluster, paths: Paths, folder: str | os.PathLike[str], options: dict[str, Any]
) -> list[Report]:
    """One data set of all files, each a unit; one that fails is reported and the others go on."""
    target = os.path.abspath(os.fspath(folder))
    files = inputs(paths)
    handles = [cluster.submit(write, file, target, options) for file in files]
    reports = []
    for file, handle in zip(files, handles, strict=True):
        try:
            reports.append(Report(file, cluster.result(handle), None))
        except Exception as error:
            reports.append(Report(file, [], str(error)))
    return reports


def map_files(
    cluster: Cluster, function: Callable[..., Any], paths: Paths, arguments: dict[str, Any]
) -> list[Any]:
    """``function`` of every file, in order of the files; raises what it raised."""
    handles = [cluster.submit(apply, file, function, arguments) for file in inputs(paths)]
    return [cluster.result(handle) for handle in handles]


def inputs(paths: Paths) -> list[str]:
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


def write(path: str, folder: str, options: dict[str, Any]) -> list[tuple[Path, int]]:
    """One unit of a data set."""
    import gapless

    return gapless.to_parquet(path, folder, name=name(path), **options)


def apply(path: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """One unit of another function of one path."""
    return function(path, **arguments)
