"""Live progress: a bar on a terminal or in a notebook, plain lines elsewhere."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mitool.console.terminal import is_live, note

SECONDS_BETWEEN_LINES = 10.0
WIDE, WIDE_BAR, NARROW_BAR = 100, 30, 8
"""Columns of a terminal with room for a wide bar, and of the bars."""


@contextlib.contextmanager
def counted(console: Console | None, label: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of several like things are done; yields what to tell it."""
    with phases(console) as tell:
        yield lambda done, total: tell(label, done, total)


@contextlib.contextmanager
def phases(console: Console | None) -> Iterator[Callable[[str, int, int], None]]:
    """Show what is done, and how much of it; yields what to tell it."""
    last_line = time.monotonic()
    if console is None:
        yield lambda label, done, total: None
        return
    if is_live(console):
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
            tasks: dict[str, TaskID] = {}

            def show(label: str, done: int, total: int) -> None:
                if label not in tasks:
                    tasks[label] = bar.add_task(label, total=total)
                bar.update(tasks[label], completed=done, total=total)

            yield show
        return

    def line(label: str, done: int, total: int) -> None:
        nonlocal last_line
        if time.monotonic() - last_line > SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            note(console, f"{label}: {done}/{total}")

    yield line


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(_per_second(task.speed) if task.speed else "", style="magenta")


E = TypeVar("E")


class TrainingProgress(Generic[E]):
    """Shows a run; an ``Observer`` of training."""

    def __init__(
        self, console: Console, describe: Callable[[E], str], *, unit: str = "epoch"
    ) -> None:
        """Prepare to show runs.

        Args:
            describe: an evaluation in a few letters.
            unit: what is counted.
        """
        self.console = console
        self._describe = describe
        self._unit = unit
        self._bar: Progress | None = None
        self._last_line = 0.0

    @contextlib.contextmanager
    def shown(self) -> Iterator["TrainingProgress[E]"]:
        """Show the bar for the time of one or more runs, and take it away afterwards."""
        if not is_live(self.console):
            yield self
            return
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(WIDE_BAR if self.console.width >= WIDE else NARROW_BAR),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[metrics]}"),
            console=self.console,
            transient=True,
        ) as bar:
            self._bar = bar
            yield self

    def begin(self, label: str, epochs: int) -> "TrainingProgress[E]":
        """Start to show a run."""
        self.label, self.epochs = label, epochs
        self._latest = ""
        self._first: tuple[int, float] | None = None
        if self._bar:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._id = self._bar.add_task(label, total=epochs, metrics="")
        return self

    def epoch_done(self, epoch: int) -> None:
        self._first = self._first or (epoch, time.monotonic())
        if self._bar:
            self._bar.update(self._id, completed=epoch)
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._print_line(epoch)

    def evaluated(self, evaluation: E) -> None:
        self._latest = self._describe(evaluation)
        if self._bar:
            self._bar.update(self._id, metrics=self._latest)

    def noted(self, text: str) -> None:
        note(self.console, f"{self.label}: {text}")

    def _print_line(self, epoch: int) -> None:
        assert self._first is not None
        done, elapsed = epoch - self._first[0], time.monotonic() - self._first[1]
        rate = _per_second(done / elapsed) if elapsed > 0 and done else ""
        left = f"{(self.epochs - epoch) * elapsed / done:z.0f} s left" if done else ""
        done_of_all = f"{self._unit} {epoch}/{self.epochs}"
        line = f"{self.label}: {done_of_all}  {self._latest}  {rate}  {left}".rstrip()
        self.console.print(line, highlight=False, markup=False)


@contextlib.contextmanager
def shown_steps(
    console: Console | None, label: str, steps: int, describe: Callable[[E], str]
) -> Iterator[list[TrainingProgress[E]]]:
    """What follows a run that is counted in steps: its progress, where there is a console."""
    if console is None:
        yield []
        return
    progress = TrainingProgress(console, describe, unit="step")
    with progress.shown():
        yield [progress.begin(label, steps)]


def _per_second(rate: float) -> str:
    return f"{rate:z.0f}/s" if rate >= 10 else f"{rate:z.2g}/s"


def short(loss: float) -> str:
    """Two digits: 2.5e-7, which leaves room on a terminal of 80 columns."""
    return re.sub(r"e([+-])0", r"e\1", f"{loss:z.1e}").replace("e+", "e")
