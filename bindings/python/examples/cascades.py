"""Leverage-cleansing clusters of recorded liquidations: ``python cascades.py FILE...``."""

import sys

import gapless

table = gapless.liquidations(sys.argv[1:])
found = gapless.analytics.cleansing(table)
print(f"{len(table)} liquidations, {len(found.clusters)} clusters")
for cluster in found.clusters:
    span_ms = (cluster.end_ns - cluster.start_ns) / 1e6
    print(f"{cluster.events} within {span_ms:.0f} ms, {cluster.sells} of them sells")
for name, value in found.intervals.items():
    print(f"{name} {value:.3f}")
