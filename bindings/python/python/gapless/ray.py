"""Extracts over many files on a Ray cluster: ``pip install gapless[ray]``.

>>> import ray, gapless.ray
>>> ray.init()
>>> gapless.ray.to_parquet("days/*.cap.zst", "out/", kinds="books")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import ray

from gapless import _units
from gapless._units import Report

__all__ = ["Report", "map_files", "to_parquet"]


def to_parquet(
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
    unit = ray.remote(max_retries=retries, retry_exceptions=True)(_units.to_parquet)
    handles = [unit.remote(file, target, options) for file in files]
    reports = []
    for file, handle in zip(files, handles, strict=True):
        try:
            reports.append(Report(file, ray.get(handle), None))
        except ray.exceptions.RayTaskError as error:
            reports.append(Report(file, [], str(error.cause)))
        except ray.exceptions.RayError as error:
            reports.append(Report(file, [], str(error)))
    return reports


def map_files(
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
    unit = ray.remote(max_retries=retries, retry_exceptions=True)(_units.apply)
    results: list[Any] = ray.get([unit.remote(file, function, arguments) for file in files])
    return results
