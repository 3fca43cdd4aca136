"""Extracts over many files on a Dask cluster: ``pip install gapless[dask]``.

>>> from dask.distributed import Client
>>> import gapless.dask
>>> gapless.dask.to_parquet(Client(), "days/*.cap.zst", "out/", kinds="books")
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gapless import _units
from gapless._units import Report

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Report", "map_files", "to_parquet"]


def to_parquet(
    client: Client,
    paths: _units.Paths,
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
    return _units.to_parquet(_Workers(client, retries), paths, folder, options)


def map_files(
    client: Client,
    function: Callable[..., Any],
    paths: _units.Paths,
    /,
    *,
    retries: int = 2,
    **arguments: Any,
) -> list[Any]:
    """``function(path, **arguments)`` of every file on the workers; results in order of the files.

    ``function`` may be an extract: tables travel whole, so let it return what is small. Raises what
    the function raised, after ``retries`` more tries.
    """
    return _units.map_files(_Workers(client, retries), function, paths, arguments)


class _Workers:
    def __init__(self, client: Any, retries: int) -> None:
        self._client, self._retries = client, retries

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._client.submit(function, *arguments, retries=self._retries, pure=False)

    def result(self, handle: Any) -> Any:
        return handle.result()
