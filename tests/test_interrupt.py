"""Signals that end a run between two steps."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from mitool.core import signals
from mitool.core.signals import deferred_signals


@pytest.fixture
def arrived() -> Iterator[list[int]]:
    """The signals that reached whoever handled them before."""
    found: list[int] = []
    before = {
        s: signal.signal(s, lambda signum, _frame: found.append(signum)) for s in signals.SIGNALS
    }
    yield found
    for signum, previous in before.items():
        signal.signal(signum, previous)


def test_a_signal_is_recorded_and_acts_afterwards(arrived: list[int]) -> None:
    with deferred_signals() as pending:
        os.kill(os.getpid(), signal.SIGTERM)
        assert pending.signum == signal.SIGTERM
        assert not arrived
    assert arrived == [signal.SIGTERM]


def test_several_signals_at_once_are_one_wish(arrived: list[int]) -> None:
    with deferred_signals() as pending:
        for signum in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), signum)
        assert pending.signum == signal.SIGTERM
        assert not arrived
    assert arrived == [signal.SIGTERM]


def test_a_later_one_acts_at_once(arrived: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "ONE_WISH", 0.05)
    with deferred_signals():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        assert not arrived
        os.kill(os.getpid(), signal.SIGINT)
        assert arrived == [signal.SIGINT]


SIGNALLED = """
import importlib.abc, os, signal, sys

class Signal(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {signum})
        return None

sys.meta_path.insert(0, Signal())
from mitool.__main__ import main
sys.argv[1:] = ["tasks"]
main()
"""


@pytest.mark.parametrize("module", ["mitool.cli.main", "typer", "mitool.cli.output"])
@pytest.mark.parametrize("signum", signals.SIGNALS)
def test_a_signal_while_the_program_loads_ends_it_in_one_line(
    module: str, signum: signal.Signals
) -> None:
    code = SIGNALLED.format(module=module, signum=int(signum))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signum
    assert done.stderr == f"Error: interrupted by {signum.name}\n"
    assert not done.stdout
