"""The ``gapless`` command: ``python -m gapless replay FILE...``."""

import sys

from gapless._gapless import run_command


def main() -> int:
    """Runs the command with the arguments of this process; returns its exit code."""
    return run_command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
