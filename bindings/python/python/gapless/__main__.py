"""The ``gapless`` command: ``python -m gapless replay FILE...``."""

import signal
import sys

from gapless._gapless import run_command


def main() -> int:
    """Runs the command with the arguments of this process; returns its exit code."""
    # Python would only make a note of Ctrl-C, for after the command.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run_command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
