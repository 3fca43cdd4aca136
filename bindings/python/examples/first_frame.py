"""Best bid and ask of recordings as a Polars frame: ``python first_frame.py FILE...``."""

import sys

import polars as pl

import gapless

table = gapless.books(sys.argv[1:], numbers="float", features=["mid", "imbalance(5)"])
print(pl.DataFrame(table))
