"""Extracts over many files on a Ray cluster: ``pip install gapless[ray]``.

>>> import ray, gapless.ray
>>> ray.init()
>>> gapless.ray.to_parquet("days/*.cap.zst", "out/", kinds="books")
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import ray

from gapless import _units
from gapless._units import Report

__all__ = ["Report", "map_files", "to_parquet"]


def to_parquet(
    paths: _units.Paths,
    folder: str | os.PathLike[str],
    /,
    *,
    retries: int = 2,
    **options: Any,
) -> list[Report]:
    """As ``gapless.dask.to_parquet``, on the workers of the cluster that ``ray`` is joined to."""
    return _units.to_parquet(_Workers(retries), paths, folder, options)


def map_files(
    function: Callable[..., Any], paths: _units.Paths, /, *, retries: int = 2, **arguments: Any
) -> list[Any]:
    """As ``gapless.dask.map_files``, on the workers of the cluster that ``ray`` is joined to."""
    return _units.map_files(_Workers(retries), function, paths, arguments)


class _Workers:
    def __init__(self, retries: int) -> None:
        self._retries = retries

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        unit = ray.remote(max_retries=self._retries, retry_exceptions=True)(function)
        return unit.remote(*arguments)

    def result(self, handle: Any) -> Any:
        try:
            return ray.get(handle)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
