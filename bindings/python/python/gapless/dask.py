"""Extracts over many files on a Dask cluster: ``pip install gapless[dask]``.

>>> from dask.distributed import Client
>>> import gapless.dask
>>> gapless.dask.to_parquet(Client(), "days/*.cap.zst", "out/", kinds="books")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from gapless import _units
from gapless._units import Report

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Report", "map_files", "to_parquet"]


def to_parquet(
    client: Client,
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    /,
    *,
    retries: int = 2,
    **options: Any,
) -> list[Report]:
    """``gapless.to_parquet`` of every file on the cluster's workers, into one data set.

    Workers must see the files and the folder under the same paths. A unit that fails is tried
    ``retries`` times more and then reported; the others go on. ``options`` are those of
    ``gapless.to_parquet``, but ``name``. Reports are in the order of the files.
    """
    files = _units.inputs(paths)
    target = os.path.abspath(os.fspath(folder))
    workers: Any = client
    futures = [
        workers.submit(_units.to_parquet, file, target, options, retries=retries, pure=False)
        for file in files
    ]
    reports = []
    for file, future in zip(files, futures, strict=True):
        error = future.exception()
        written = [] if error else future.result()
        reports.append(Report(file, written, None if error is None else str(error)))
    return reports


def map_files(
    client: Client,
    function: Callable[..., Any],
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    /,
    *,
    retries: int = 2,
    **arguments: Any,
) -> list[Any]:
    """``function(path, **arguments)`` of every file on the workers; results in order of the files.

    ``function`` may be an extract: tables travel whole, so let it return what is small. Raises what
    the function raised, after ``retries`` more tries.
    """
    files = _units.inputs(paths)
    workers: Any = client
    futures = [
        workers.submit(_units.apply, file, function, arguments, retries=retries, pure=False)
        for file in files
    ]
    results: list[Any] = workers.gather(futures)
    return results
