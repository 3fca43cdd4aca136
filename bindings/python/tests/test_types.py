"""Types: the stubs are the module, and the examples check strictly and run."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captures import SAMPLES

from gapless import _gapless

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


def documented(nodes: list[ast.stmt], owner: Any) -> Iterator[tuple[str, str, str]]:
    """Name, docstring of the stub and of the module, of everything that the stub explains."""
    for node in nodes:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            continue
        here = getattr(owner, node.name)
        if text := ast.get_docstring(node):
            yield node.name, text, inspect.cleandoc(here.__doc__ or "")
        if isinstance(node, ast.ClassDef):
            yield from documented(node.body, here)


def test_help_says_what_the_stubs_say() -> None:
    stub = Path(_gapless.__file__).with_name("_gapless.pyi")
    found = list(documented(ast.parse(stub.read_text()).body, _gapless))
    assert len(found) > 90
    assert [name for name, stubs, module in found if stubs != module and name[:2] != "__"] == []


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
