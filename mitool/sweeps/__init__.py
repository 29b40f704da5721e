"""Sweeps: one training command at every point of a grid, each a run directory of its own."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mitool.core.errors import InputError, Interrupted, UsageError
from mitool.core.signals import deferred_signals
from mitool.storage import atomic, layout, locking
from mitool.sweeps.base import End, Job, Outcome, Point, Runner, Watcher, error_of, point_name
from mitool.sweeps.outcomes import OWN_CLAIMS, SweepResult, one_value_each, result_of
from mitool.sweeps.table import write_tables

__all__ = [
    "OWN_CLAIMS",
    "Job",
    "Outcome",
    "Point",
    "Runner",
    "SweepResult",
    "Watcher",
    "one_value_each",
    "point_name",
    "sweep",
    "threads_of",
]


def sweep(
    command: Sequence[str],
    points: Sequence[Point],
    folder: Path,
    runner: Runner,
    watcher: Watcher,
    *,
    resume: bool = False,
    overwrite: bool = False,
    task_sha256: str | None = None,
) -> SweepResult:
    """Run a command at each point, in ``folder/points/NAME``, and write the tables of all.

    A point that fails is an outcome as any other, and leaves the rest alone.

    Args:
        command: words that all points share.
        resume: run only what the folder does not hold, or what failed; the points may be others
            than before.
        overwrite: replace the sweep that the folder holds.
        task_sha256: of the file that holds the task of all points, where there is one.

    Raises:
        UsageError: the folder cannot be used, or holds a sweep of another command or file.
        RunError: a file cannot be written, or the runner has nothing to run points on.
        Interrupted: SIGINT or SIGTERM arrived; the runs have saved and ended.
    """
    folder = folder.absolute()  # for processes and nodes that work elsewhere
    record = {
        "command": list(command),
        "threads": runner.threads,
        **({"task_sha256": task_sha256} if task_sha256 else {}),
        "axes": _axes(points),
        "points": {point.name: dict(point.values) for point in points},
    }
    with (
        runner.available(),
        locking.claimed(folder, overwrite=overwrite, resume=resume, clear=False),
    ):
        if overwrite:
            _remove(folder)
        saved = _saved(folder)
        _require_same(saved, record)
        record["points"] = saved.get("points", {}) | record["points"]
        atomic.write_json(folder / layout.CONFIG, record)
        outcomes = {
            point.name: outcome
            for point in points
            if saved.get("points", {}).get(point.name) == dict(point.values)
            and (outcome := _done(folder, point))
        }
        jobs = [_job(folder, point, runner) for point in points if point.name not in outcomes]
        _begin_logs(folder, jobs)
        watcher.begin(jobs, len(outcomes))
        _run(folder, jobs, outcomes, runner, watcher)
        result = result_of(folder, record, [outcomes[point.name] for point in points])
        write_tables(folder, result.axes, result.outcomes)
    return result


def _run(
    folder: Path,
    jobs: Sequence[Job],
    outcomes: dict[str, Outcome],
    runner: Runner,
    watcher: Watcher,
) -> None:
    """Run the jobs, and put what becomes of each among the outcomes.

    Raises:
        Interrupted: SIGINT or SIGTERM arrived; the runs have saved and ended.
    """
    n_points = len(jobs) + len(outcomes)
    with deferred_signals() as pending:

        def tick() -> None:
            watcher.tick()
            if pending.signum is not None:
                raise Interrupted(
                    f"interrupted after {len(outcomes)} of {n_points} points; what ran is saved "
                    f"in {folder}: the same again with --resume goes on",
                    pending.signum,
                )

        with contextlib.closing(runner.run(jobs, tick)) as ends:
            for job, end in ends:
                outcomes[job.point.name] = outcome = _outcome(folder, job, end)
                watcher.ended(outcome)


def threads_of(folder: Path) -> int | None:
    """The threads that each point of the folder's sweep has; None where there is none."""
    threads = _saved(folder).get("threads")
    return threads if isinstance(threads, int) else None


def _axes(points: Sequence[Point]) -> dict[str, list[str]]:
    axes: dict[str, dict[str, None]] = {}
    for point in points:
        for name, value in point.values.items():
            axes.setdefault(name, {})[value] = None
    return {name: list(values) for name, values in axes.items()}


def _saved(folder: Path) -> dict[str, Any]:
    """The record of the sweep that the folder holds, if it holds one."""
    path = folder / layout.CONFIG
    record = atomic.read_json(path) if path.exists() else {}
    if not isinstance(record.get("points", {}), dict):
        raise InputError(f"{path}: damaged: expected the points of a sweep")
    return record


def _require_same(saved: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Check that a sweep goes on with its command, its threads and the file of its task.

    Raises:
        UsageError: it does not.
    """
    if not saved:
        return
    if "points" not in saved:
        raise UsageError("--resume: the folder holds a run and no sweep; choose another --out")
    differences = [
        f"{name} was {_words(saved.get(name))}, asked {_words(asked.get(name))}"
        for name in ("command", "threads", "task_sha256")
        if saved.get(name) != asked.get(name)
    ]
    if differences:
        raise UsageError(
            f"--resume: the sweep was started otherwise ({'; '.join(differences)}); resume with "
            "what it was, or choose another --out"
        )


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _remove(folder: Path) -> None:
    """Remove a sweep with the runs of its points, and nothing that mitool did not write."""
    names, points = _saved(folder).get("points", {}), (folder / layout.POINTS).resolve()
    for name in sorted(names):
        place = points / name
        if place.resolve().parent == points and layout.holds_run(place):
            with locking.claimed(place, overwrite=True):
                pass
            layout.remove_empty(place)
    layout.remove_run(folder)


def _job(folder: Path, point: Point, runner: Runner) -> Job:
    place = folder / layout.POINTS / point.name
    added = ("--out", str(place), "--threads", str(runner.threads), "--resume", "--json", "--quiet")
    return Job(point, (*point.arguments, *added), place, folder / layout.LOGS / f"{point.name}.log")


def _begin_logs(folder: Path, jobs: Sequence[Job]) -> None:
    (folder / layout.LOGS).mkdir(exist_ok=True)
    for job in jobs:
        job.log.unlink(missing_ok=True)


def _outcome(folder: Path, job: Job, end: End) -> Outcome:
    done = _done(folder, job.point) if end.exit_code == 0 else None
    return done or Outcome(job.point, end.exit_code or 1, error_of(job, end), {}, None)


def _done(folder: Path, point: Point) -> Outcome | None:
    """The outcome of a point whose folder holds its result."""
    try:
        document = atomic.read_json(folder / layout.POINTS / point.name / layout.RESULT)
    except InputError:
        return None
    claims, seconds = document.get("claims"), document.get("seconds")
    if "mitool" not in document or not isinstance(claims, dict):
        return None
    return Outcome(point, 0, None, claims, seconds if isinstance(seconds, int | float) else None)
