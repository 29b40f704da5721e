"""How a sweep goes: a bar and the points that run on a terminal, a line for each elsewhere."""

import contextlib
import json
import statistics
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from mitool.console.progress import short
from mitool.console.terminal import is_live, note
from mitool.storage import layout
from mitool.sweeps import Job, Outcome
from mitool.sweeps.base import tail
from mitool.sweeps.table import flat

MOST_SHOWN = 8
"""Points that run and have a line of their own, and room that is left on a low terminal."""

MOST_METRICS = 4
LINES_LEFT = 4


class SweepProgress:
    """Shows a sweep, where there is a console; a ``Watcher``."""

    def __init__(self, console: Console | None, on_first: Callable[[Outcome], None]) -> None:
        """Prepare to show it.

        Args:
            on_first: told of the first point that is done.
        """
        self._console, self._on_first, self._is_first = console, on_first, True
        self._live: Live | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            console=self._console,
        )
        self._jobs: dict[str, Job] = {}
        self._failed = 0

    @contextlib.contextmanager
    def shown(self) -> Iterator["SweepProgress"]:
        """Show it for the time of the sweep, and take it away afterwards."""
        if self._console is None or not is_live(self._console):
            yield self
            return
        with Live(console=self._console, transient=True, refresh_per_second=4) as live:
            self._live = live
            yield self

    def begin(self, jobs: Sequence[Job], n_done: int) -> None:
        self._jobs = {job.point.name: job for job in jobs}
        self._total, self._n_done = len(jobs) + n_done, n_done
        self._task = self._bar.add_task("points", total=len(jobs) + n_done, completed=n_done)
        if n_done:
            note(self._console, f"{n_done} of {self._total} points are done already")
        self.tick()

    def ended(self, outcome: Outcome) -> None:
        job = self._jobs.pop(outcome.point.name)
        self._n_done += 1
        self._failed += not outcome.done
        self._bar.update(self._task, completed=self._n_done)
        if self._failed:
            self._bar.update(self._task, description=f"points ({self._failed} failed)")
        if self._live is None:
            end = _latest(job) if outcome.done else f"failed ({outcome.error})"
            note(self._console, f"{self._n_done}/{self._total} {outcome.point.name}: {end}")
        if outcome.done and self._is_first:
            self._is_first = False
            self._on_first(outcome)

    def tick(self) -> None:
        if self._live is None or self._console is None:
            return
        # its log is there from when a point is started, on whatever machine
        running = [job for job in self._jobs.values() if job.log.exists()]
        room = max(0, min(MOST_SHOWN, self._console.height - LINES_LEFT))
        lines = [_line(job) for job in running[:room]]
        if len(running) > room:
            lines.append(Text(f"  and {len(running) - room} more", style="dim"))
        self._live.update(Group(self._bar, *lines))


def _line(job: Job) -> Text:
    text = Text("  ", no_wrap=True, overflow="ellipsis")
    return text.append(job.point.name, style="cyan").append(f"  {_latest(job) or 'starts'}")


def _latest(job: Job) -> str:
    """The last evaluation of a run, in a few words."""
    *_, last = ("", *tail(job.folder / layout.METRICS).split("\n")[:-1])
    try:
        values = json.loads(last or "{}")
    except ValueError:
        return ""
    shown = [
        f"{name} {value if isinstance(value, int) else short(value)}"
        for name, found in flat(values)
        if (value := _mean(found)) is not None and name != "seconds"
    ]
    return "  ".join(shown[:MOST_METRICS])


def _mean(value: object) -> float | None:
    """A number, or the mean of a list of numbers; None of anything else."""
    if isinstance(value, list) and value and all(isinstance(item, float) for item in value):
        return statistics.fmean(value)
    return value if isinstance(value, int | float) else None
