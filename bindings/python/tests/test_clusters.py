"""Extracts on local clusters of processes: the same data set, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from captures import SAMPLES

import gapless
from gapless import _units

FILES = [SAMPLES / name for name in ("bybit.cap.zst", "okx.cap.zst", "deribit.cap.zst")]
KINDS = {"kinds": "trades", "price_scale": 12, "size_scale": 8}


def check(reports: list[_units.Report], folder: Path) -> None:
    assert [Path(report.path).name for report in reports] == [path.name for path in FILES]
    assert [report.error for report in reports] == [None] * len(FILES)
    scan = pl.scan_parquet(folder / "**/*.parquet", hive_partitioning=True).collect()
    assert len(scan) == len(gapless.trades(FILES)) == sum(report.rows for report in reports)


def broken(folder: Path) -> Path:
    path = folder / "bybit" / "broken.cap.zst"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"garbage")
    return path


def failing_once(folder: Path) -> Callable[[str], int]:
    """A unit that fails where it is tried first, whichever worker tries it."""
    folder.mkdir()

    def rows(path: str) -> int:
        tried = folder / Path(path).name
        if not tried.exists():
            tried.touch()
            raise OSError("the first try")
        return len(gapless.trades(path))

    return rows


def test_units_are_files_with_names_of_their_own(tmp_path: Path) -> None:
    found = _units.inputs([str(SAMPLES / "*.cap.zst"), FILES[0]])
    assert len(found) == len(set(found)) >= 9
    assert len({_units.name(path) for path in found}) == len(found)
    with pytest.raises(FileNotFoundError, match="none"):
        _units.inputs(tmp_path / "none")


def test_dask(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    import gapless.dask

    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        out = tmp_path / "out"
        reports = gapless.dask.to_parquet(client, FILES, out, **KINDS)
        check(reports, out)
        assert gapless.dask.to_parquet(client, FILES, out, **KINDS) == reports
        mixed = gapless.dask.to_parquet(client, [broken(tmp_path), *FILES], out, **KINDS)
        assert mixed[0].error and "broken.cap.zst" in mixed[0].error
        check(mixed[1:], out)
        known = [len(gapless.trades(path)) for path in FILES]
        tried = failing_once(tmp_path / "tried")
        assert gapless.dask.map_files(client, tried, FILES) == known
        with pytest.raises(OSError, match="the first try"):
            gapless.dask.map_files(client, failing_once(tmp_path / "again"), FILES, retries=0)


def begin(ray: Any) -> None:
    """A local cluster, begun anew where a busy machine does not keep Ray's limits on its start."""
    for left in reversed(range(5)):
        try:
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise


def test_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Read when Ray is imported and by the processes that it starts.
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "120")
    monkeypatch.setenv("RAY_agent_register_timeout_ms", "120000")
    ray = pytest.importorskip("ray")
    import gapless.ray

    begin(ray)
    try:
        out = tmp_path / "out"
        reports = gapless.ray.to_parquet(FILES, out, **KINDS)
        check(reports, out)
        mixed = gapless.ray.to_parquet([broken(tmp_path), *FILES], out, **KINDS)
        assert mixed[0].error and "broken.cap.zst" in mixed[0].error
        check(mixed[1:], out)
        known = [len(gapless.trades(path)) for path in FILES]
        assert gapless.ray.map_files(failing_once(tmp_path / "tried"), FILES) == known
        with pytest.raises(OSError, match="the first try"):
            gapless.ray.map_files(failing_once(tmp_path / "again"), FILES, retries=0)
    finally:
        ray.shutdown()
