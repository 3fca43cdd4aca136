#!/usr/bin/env python3
"""Text of a terminal with ANSI colours on standard input, an SVG of the same on standard output."""

import re
import sys
from html import escape

COLOURS = {"31": "#f7768e", "32": "#9ece6a", "33": "#e0af68"}
COLUMN, LINE, MARGIN = 8, 18, 14


def spans(line):
    """Runs of one colour: column, colour, text."""
    column, colour = 0, None
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if code:
            known = [COLOURS[c] for c in code.group(1).split(";") if c in COLOURS]
            colour = known[0] if known else None
        elif part:
            yield column, colour, part
            column += len(part)


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    width = 2 * MARGIN + COLUMN * 110
    height = 2 * MARGIN + LINE * len(lines)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">')
    print(f'<rect width="{width}" height="{height}" rx="8" fill="#1a1b26"/>')
    print('<g font-family="monospace" font-size="13" fill="#c0caf5" xml:space="preserve">')
    for row, line in enumerate(lines):
        for column, colour, text in spans(line):
            x, y = MARGIN + COLUMN * column, MARGIN + LINE * (row + 1) - 5
            fill = f' fill="{colour}"' if colour else ""
            # The width keeps columns straight in every font.
            length = f'textLength="{COLUMN * len(text)}"'
            print(f'<text x="{x}" y="{y}" {length}{fill}>{escape(text)}</text>')
    print("</g>\n</svg>")


if __name__ == "__main__":
    main()
