"""``python -m mitool``, and the script ``mitool``."""

import contextlib
import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; a signal before there is a command, or after it, ends the process with
    one line.
    """
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _end)
    from mitool.cli.main import main as run

    run()


def _end(signum: int, _frame: FrameType | None) -> None:
    # at once: what is raised while a library loads may be dropped there
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        sys.stdout.flush()
    os.write(2, f"Error: interrupted by {signal.Signals(signum).name}\n".encode())
    os._exit(128 + signum)


if __name__ == "__main__":
    main()
