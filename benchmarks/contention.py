"""Time the training of every task alone, two runs at once, and beside a busy loop on each core.

Each run is a process of its own, ``mitool train TASK`` with the task's presets and the threads that
it chooses, for as many steps as take some seconds alone. The figures are how many times as slow a
step is than alone: of two runs at once the slower one's, where two cores and fair shares give at
most 2 to a run that uses both cores alone, and 1 to one that uses one core.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.printing import show
from mitool.core.machine import available_cores
from mitool.tasks import names

ROOT = Path(__file__).parents[1]
PROBE = 40
"""Epochs of a run that only tells how fast a task's steps are."""


@dataclass(frozen=True)
class Measured:
    """What a run says of itself."""

    steps_per_second: float
    seconds: float
    threads: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", default=names(), help="all, if none is named")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a run alone")
    parser.add_argument("--threads", type=int, help="instead of those that mitool chooses")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    report: dict[str, float] = {"cores": available_cores()}
    for task in options.tasks:
        report |= compared(task, options.seconds, options.threads)
        if not options.json:
            print(task, "done", file=sys.stderr)
    show(report, as_json=options.json)


def compared(
    task: str, seconds: float, threads: int | None, parameters: Sequence[str] = ()
) -> dict[str, float]:
    """Steps a second alone, and how many times as slow they are in company."""
    words = [task, *parameters, *([] if threads is None else ["--threads", str(threads)])]
    (probe,) = runs(words, PROBE, 1)
    epochs = max(PROBE, round(PROBE * seconds / probe.seconds))
    (alone,) = runs(words, epochs, 1)
    two = runs(words, epochs, 2)
    with busy_cores():
        (beside,) = runs(words, epochs, 1)
    rate = alone.steps_per_second
    return {
        f"{task}_threads": alone.threads,
        f"{task}_steps_per_second": rate,
        f"{task}_two_at_once": max(rate / each.steps_per_second for each in two),
        f"{task}_beside_busy_cores": rate / beside.steps_per_second,
    }


def runs(words: Sequence[str], epochs: int, n: int) -> list[Measured]:
    """So many runs at once."""
    command = [sys.executable, "-m", "mitool", "train", *words, "--epochs", str(epochs)]
    command += ["--format", "html", "--json", "--quiet", "--eval-every", str(epochs)]
    with tempfile.TemporaryDirectory() as folder:
        started = [
            subprocess.Popen(
                [*command, "-o", f"{folder}/{number}"],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            for number in range(n)
        ]
        printed = [process.communicate()[0] for process in started]
    return [measured(json.loads(text)) for text in printed]


def measured(document: dict[str, dict[str, float]]) -> Measured:
    claims, device = document["claims"], document["config"]["device"]
    assert isinstance(device, dict)
    return Measured(claims["steps_per_second"], claims["seconds_training"], device["threads"])


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """A loop that never ends on each core, meanwhile."""
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(available_cores())
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    main()
