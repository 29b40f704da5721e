"""Signals that end a run between two steps, never inside one."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

ONE_WISH = 1.0
"""Seconds within which several signals are one wish to end."""


class PendingSignal:
    """The signal that has arrived, if any."""

    signum: int | None = None


@contextlib.contextmanager
def deferred_signals() -> Iterator[PendingSignal]:
    """Record SIGINT and SIGTERM instead of acting on them; a second one acts at once, unless it
    comes within ``ONE_WISH`` seconds, as from who signals a process and then its group.

    Outside the main thread, where handlers cannot be set, nothing is recorded.
    """
    pending = PendingSignal()
    if threading.current_thread() is not threading.main_thread():
        yield pending
        return
    previous = {signum: signal.getsignal(signum) for signum in SIGNALS}

    first = 0.0

    def record(signum: int, _frame: FrameType | None) -> None:
        nonlocal first
        if pending.signum is None:
            pending.signum, first = signum, time.monotonic()
        elif time.monotonic() - first > ONE_WISH:
            signal.signal(signum, previous[signal.Signals(signum)])
            signal.raise_signal(signum)

    for signum in SIGNALS:
        signal.signal(signum, record)
    try:
        yield pending
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
    if pending.signum is not None:  # it came when there was nothing left to interrupt
        signal.raise_signal(pending.signum)
