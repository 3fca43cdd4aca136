"""Reads captures line by line, as simply as can be: what the tests feed by hand."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "samples"


class Record(NamedTuple):
    """One line of a capture."""

    recv_ns: int
    kind: str
    source: str
    payload: bytes


def captures() -> list[Path]:
    """The samples, and the recordings where the machine has them."""
    found = sorted(SAMPLES.glob("*.cap.zst"))
    recordings = os.environ.get("GAPLESS_RECORDINGS")
    if recordings:
        found += sorted(Path(recordings).glob("*/*.cap.zst"))
    return found


def read(path: Path) -> Iterator[Record]:
    """The records of a capture, in the order of the file."""
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        for line in io.BufferedReader(reader):
            recv_ns, kind, source, payload = line.rstrip(b"\n").split(b"\t", 3)
            yield Record(int(recv_ns), kind.decode(), source.decode(), payload)


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m gapless`."""
    line = [sys.executable, "-m", "gapless", *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in an interpreter of its own."""
    line = [sys.executable, "-c", code]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


def reports(path: Path) -> list[dict[str, Any]]:
    """What the command says of every book of a recording."""
    done = command("replay", "--json", str(path))
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if line["type"] == "book"]
