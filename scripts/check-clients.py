#!/usr/bin/env python3
"""Other people's clients against `gapless sim serve`: their books must be the exchanges' truth.

    python3 -m venv clients && clients/bin/pip install cryptofeed ccxt
    cargo build --release -p gapless-cli
    clients/bin/python scripts/check-clients.py target/release/gapless

Each client reads one symbol of each venue that it supports for some seconds, its hosts patched to
plain sockets of loopback; then the market stands still and the client's book is compared, level by
level, with the book that the exchange had at the client's own sequence (with its last one where the
client keeps no sequence: ccxt on Bybit and Deribit). Exits with 1 if one differs.
"""

import asyncio
import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

SECONDS = 8
VENUES = ["binance_spot", "binance_usdm", "bybit", "okx", "deribit"]
# Fewer levels than any client asks for, so that all of them hold whole books.
LEVELS = 30


def serve(binary):
    """The exchanges and, by venue, the address of each."""
    words = [binary, "sim", "serve", "--port", "0", "--symbols", "1", "--levels", str(LEVELS)]
    for venue in VENUES:
        words += ["--venue", venue]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    hosts = {}
    for _ in VENUES:
        venue, socket, _ = process.stdout.readline().split()
        hosts[venue] = socket.removeprefix("ws://")
    return process, hosts


def get(host, path):
    with urllib.request.urlopen(f"http://{host}/truth{path}", timeout=10) as answer:
        return json.load(answer)


def verdict(client, venue, host, symbol, sequence, bids, asks):
    """Compares a book with the truth at its sequence; both as floats, best first."""
    query = "" if sequence is None else f"?seq={sequence}"
    path = f"/{urllib.parse.quote(symbol)}{query}"
    try:
        truths = get(host, path)
    except urllib.error.HTTPError:
        truths = []
    mine = [sorted(bids, reverse=True), sorted(asks)]
    for truth in truths:
        theirs = [[tuple(map(float, level)) for level in truth[side]] for side in ("bids", "asks")]
        if theirs == mine:
            print(f"{client:<11} {venue:<13} {symbol:<15} equal    seq {sequence}")
            return True
    known = [truth["seq"] for truth in truths]
    print(f"{client:<11} {venue:<13} {symbol:<15} DIFFERS  seq {sequence}, known {known}")
    return False


# What ccxt calls a symbol, and the exchange's own name for it.
CCXT = {
    "binance_spot": ("binance", "BTC/USDT", "BTCUSDT"),
    "binance_usdm": ("binanceusdm", "BTC/USDT:USDT", "BTCUSDT"),
    "bybit": ("bybit", "BTC/USDT:USDT", "BTCUSDT"),
    "okx": ("okx", "BTC/USDT:USDT", "BTC-USDT-SWAP"),
    "deribit": ("deribit", "BTC/USD:BTC", "BTC-PERPETUAL"),
}


def patch_ccxt(client, venue, host):
    """Points a client of ccxt at an exchange of loopback."""
    api, ws, http = client.urls["api"], f"ws://{host}", f"http://{host}"
    client.options["fetchCurrencies"] = client.has["fetchCurrencies"] = False
    if venue == "binance_spot":
        api["public"] = f"{http}/api/v3"
        api["ws"]["spot"] = f"{ws}/ws"
        client.options["fetchMarkets"] = {"types": ["spot"]}
    elif venue == "binance_usdm":
        api["fapiPublic"] = f"{http}/fapi/v1"
        api["ws"]["linear"] = f"{ws}/ws"
        client.options["fetchMarkets"] = {"types": ["linear"]}
    elif venue == "bybit":
        api["public"] = http
        api["ws"]["public"]["linear"] = f"{ws}/v5/public/linear"
        client.options["fetchMarkets"] = {"types": ["linear"]}
    elif venue == "okx":
        api["rest"], api["ws"] = http, f"{ws}/ws/v5"
        client.options["fetchMarkets"] = {"types": ["swap"]}
    else:
        api["rest"], api["ws"] = http, f"{ws}/ws/api/v2"


async def check_ccxt(venue, host):
    import ccxt.pro

    name, symbol, native = CCXT[venue]
    client = getattr(ccxt.pro, name)({"enableRateLimit": True, "newUpdates": False})
    patch_ccxt(client, venue, host)
    book = None

    async def read():
        nonlocal book
        while True:
            book = await client.watch_order_book(symbol)

    reading = asyncio.create_task(read())
    try:
        await asyncio.wait([reading], timeout=SECONDS)
        if reading.done():
            reading.result()
        await asyncio.to_thread(get, host, "/-/pause")
        await asyncio.sleep(1)
        levels = [[(level[0], level[1]) for level in book[side]] for side in ("bids", "asks")]
        # Its number of a Deribit book is a time.
        sequence = None if venue == "deribit" else book["nonce"]
        return await asyncio.to_thread(verdict, "ccxt", venue, host, native, sequence, *levels)
    finally:
        reading.cancel()
        await client.close()
        await asyncio.to_thread(get, host, "/-/resume")


# What cryptofeed calls a venue and a symbol, and the exchange's own name for it.
CRYPTOFEED = {
    "binance_spot": ("Binance", "BTC-USDT", "BTCUSDT"),
    "binance_usdm": ("BinanceFutures", "BTC-USDT-PERP", "BTCUSDT"),
    "bybit": ("Bybit", "BTC-USDT-PERP", "BTCUSDT"),
    "okx": ("OKX", "BTC-USDT-PERP", "BTC-USDT-SWAP"),
    "deribit": ("Deribit", "BTC-USD-PERP", "BTC-PERPETUAL"),
}


async def check_cryptofeed(venue, host):
    from cryptofeed import FeedHandler, connection, exchanges
    from cryptofeed.defines import L2_BOOK
    from websockets import connect

    # It takes no address but of TLS: the word is changed where the socket is opened.
    connection.connect = lambda address, **words: connect("ws" + address[3:], **words)

    name, symbol, native = CRYPTOFEED[venue]
    kind = getattr(exchanges, name)
    for endpoint in kind.websocket_endpoints:
        endpoint.address = re.sub(r"wss?://[^/]+", f"wss://{host}", endpoint.address)
    for endpoint in kind.rest_endpoints:
        endpoint.address = re.sub(r"https?://[^/]+", f"http://{host}", endpoint.address)
    held = None

    async def hear(book, _receipt):
        nonlocal held
        held = book

    handler = FeedHandler(config={"log": {"disabled": True}})
    # Deribit's unthrottled books are for those who showed a key.
    keys = {"deribit": {"key_id": "sim-key", "key_secret": "sim-key"}}
    feed = kind(symbols=[symbol], channels=[L2_BOOK], callbacks={L2_BOOK: hear}, config=keys)
    handler.add_feed(feed)
    handler.run(start_loop=False, install_signal_handlers=False)
    try:
        await asyncio.sleep(SECONDS)
        await asyncio.to_thread(get, host, "/-/pause")
        await asyncio.sleep(1)
        sides = (held.book.bids, held.book.asks)
        levels = [[(float(price), float(side[price])) for price in side] for side in sides]
        sequence = held.sequence_number
        return await asyncio.to_thread(
            verdict, "cryptofeed", venue, host, native, sequence, *levels
        )
    finally:
        await handler.stop_async()
        await asyncio.to_thread(get, host, "/-/resume")


async def guarded(check, client, venue, host):
    """A check that fails in another way than by a wrong book says how."""
    try:
        return await asyncio.wait_for(check(venue, host), 4 * SECONDS)
    except Exception as error:  # pylint: disable=broad-except
        print(f"{client:<11} {venue:<13} FAILED   {type(error).__name__}: {error}")
        return False


async def main(hosts):
    results = []
    for client, check in (("ccxt", check_ccxt), ("cryptofeed", check_cryptofeed)):
        for venue in VENUES:
            results.append(await guarded(check, client, venue, hosts[venue]))
    return all(results)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    server, addresses = serve(sys.argv[1])
    try:
        right = asyncio.run(main(addresses))
    finally:
        server.terminate()
    sys.exit(0 if right else 1)
