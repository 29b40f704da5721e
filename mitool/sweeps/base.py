"""What a sweep is made of: its points, and how each of them ended."""

import contextlib
import hashlib
import os
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mitool.core.result import Claim
from mitool.storage import layout, locking
from mitool.sweeps.grid import Assignment

LONGEST_NAME = 120
"""Letters; file systems take 255 bytes."""

MOST_OF_A_LOG = 2**16
"""Bytes of a log's end in which the error is looked for."""

SECONDS_FOR_A_LOCK = 60.0
"""Within which a process that is to end has saved its run and let go of the folder."""

ERROR = "Error: "


@dataclass(frozen=True)
class Point:
    """One training of a sweep.

    Attributes:
        name: of its run directory.
        values: of the axes, as typed.
        arguments: its command line, less ``mitool`` and what the sweep adds.
    """

    name: str
    values: Assignment
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A point to be run, with what the sweep adds.

    Attributes:
        arguments: the whole command line, less ``mitool``.
        log: the file that takes what the command writes to stderr.
    """

    point: Point
    arguments: tuple[str, ...]
    folder: Path
    log: Path


@dataclass(frozen=True)
class End:
    """How a job ended.

    Attributes:
        exit_code: of the command; below 0 it is the signal that killed it.
        reason: what the log cannot tell.
    """

    exit_code: int
    reason: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a point.

    Attributes:
        exit_code: 0 where it is done.
        error: why it failed.
        claims: of its result; none where it failed.
        seconds: that the command took, of the last session if it was resumed.
    """

    point: Point
    exit_code: int
    error: str | None
    claims: Mapping[str, Claim]
    seconds: float | None

    @property
    def done(self) -> bool:
        return self.exit_code == 0


class Watcher(Protocol):
    """Follows a sweep."""

    def begin(self, jobs: Sequence[Job], n_done: int) -> None:
        """There are these jobs to run, and so many points done before."""

    def tick(self) -> None:
        """About a second has passed."""

    def ended(self, outcome: Outcome) -> None:
        """A job has ended."""


class Runner(Protocol):
    """Runs jobs somewhere, several at once."""

    @property
    def threads(self) -> int:
        """That each of them has."""

    def available(self) -> AbstractContextManager[object]:
        """Hold what jobs run on, for the time of a sweep.

        Raises:
            RunError: it is not there.
        """

    def run(
        self, jobs: Sequence[Job], tick: Callable[[], None]
    ) -> Generator[tuple[Job, End], None, None]:
        """Run the jobs, and yield each as it ends; when closed early, have those that run save
        and end.

        Args:
            tick: called about every second.
        """


Command = Callable[[Sequence[str]], int]
"""Runs a command line in this process and gives its exit code; a function of a module, by whose
name other processes find it."""


def point_name(values: Assignment) -> str:
    """A folder name such as ``p53-seed0``, with a digest where letters had to be left out."""
    parts = [f"{k}{v}" if v[0] in "+-.0123456789" else f"{k}_{v}" for k, v in values.items()]
    name = layout.folder_name(*parts)
    if name == "-".join(parts) and len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:8]
    return f"{name[:LONGEST_NAME]}-{digest}"


def run_here(command: Command, job: Job) -> int:
    """Run a job in this process; returns its exit code.

    A folder that a dying process still holds is waited for.
    """
    locking.wait_until_free(job.folder, SECONDS_FOR_A_LOCK)
    with (
        job.log.open("a", encoding="utf-8", errors="replace") as log,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(log),
    ):
        try:
            return command(job.arguments)
        except Exception:  # whatever a command raises is its job's failure, and the sweep goes on
            traceback.print_exc()
            return 1


def error_of(job: Job, end: End) -> str:
    """Why a job failed, in one line: as its command says, or else as its log ends."""
    if end.reason is not None:
        return end.reason
    lines = [line for line in tail(job.log).splitlines() if line.strip()]
    said = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
    return (said or lines or [f"exit code {end.exit_code}, and nothing on stderr"])[-1].strip()


def tail(path: Path) -> str:
    """The end of a file that grows; nothing where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_OF_A_LOG))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
