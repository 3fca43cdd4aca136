"""A book fed with frames of one's own connection, here two that were written down."""

from decimal import Decimal

import gapless

FRAMES = [
    b'{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1,"data":{"s":"BTCUSDT",'
    b'"b":[["91230.1","2"]],"a":[["91230.2","3"]],"u":7,"seq":1},"cts":1}',
    b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":2,"data":{"s":"BTCUSDT",'
    b'"b":[["91230.1","0.5"]],"a":[],"u":9,"seq":2},"cts":2}',
]

book = gapless.Book("bybit", "BTCUSDT", numbers="decimal")
for frame in FRAMES:
    verdict = book.apply(frame)
    try:
        best: tuple[Decimal, Decimal] | None = book.best_bid
        print(verdict, best)
    except gapless.NotLiveError as error:
        print(verdict, error, book.gap)
