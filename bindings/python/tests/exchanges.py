"""Exchanges to read live: those of `python -m gapless sim serve`, on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: What is read of each venue: a book and trades; its market, where it has several.
PLANS: dict[str, dict[str, Any]] = {
    "binance_spot": {"channels": ["depth@100ms", "trade"]},
    "bybit": {"channels": ["orderbook.50", "publicTrade"], "market": "linear"},
}


@contextmanager
def exchanges(seed: int = 7) -> Iterator[dict[str, str]]:
    """The hosts by venue, while they are served."""
    line = [sys.executable, "-m", "gapless", "sim", "serve", "--port", "0", "--symbols", "1"]
    line += ["--seed", str(seed), "--levels", "20", "--seconds", "120"]
    for venue in PLANS:
        line += ["--venue", venue]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            words = [process.stdout.readline().split() for _ in PLANS]
            yield {venue: socket.removeprefix("ws://") for venue, socket, _ in words}
        finally:
            process.terminate()


def config(hosts: dict[str, str]) -> dict[str, Any]:
    """An engine that reads them."""
    sources = []
    for venue, host in hosts.items():
        source = {"live": venue, "symbols": ["BTCUSDT"], **PLANS[venue]}
        sources.append({**source, "socket": f"ws://{host}", "rest": f"http://{host}"})
    return {"allow_plaintext_loopback": True, "sources": sources}


def truth(host: str, name: str, query: str = "") -> Any:
    """What an exchange says of its own books."""
    url = f"http://{host}/truth/{urllib.parse.quote(name, safe='/-')}{query}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
