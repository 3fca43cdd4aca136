"""Types: the stubs are the module, and the examples check strictly and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from captures import SAMPLES

HERE = Path(__file__).resolve().parent
EXAMPLES = sorted((HERE.parent / "examples").glob("*.py"))


def run(*words: str, cwd: Path | None = None) -> str:
    line = [sys.executable, *words]
    done = subprocess.run(line, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_stubs_are_the_module() -> None:
    pytest.importorskip("mypy")
    modules = ("gapless._gapless", "gapless.features", "gapless.analytics")
    run("-m", "mypy.stubtest", "--allowlist", str(HERE / "stubtest.allow"), *modules)


def test_the_examples_and_the_package_are_strictly_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    files = [str(path) for path in EXAMPLES]
    run("-m", "mypy", "--strict", "--cache-dir", str(tmp_path), *files)
    run("-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "-p", "gapless")


def test_pyright_agrees() -> None:
    pytest.importorskip("pyright")
    for path in EXAMPLES:
        run("-m", "pyright", "--pythonpath", sys.executable, str(path))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path: Path) -> None:
    assert run(str(path), *map(str, sorted(SAMPLES.glob("bybit*.zst"))))
