"""What ``mitool sweep`` does once its options are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from mitool.actions.request import Done, Expect, Request
from mitool.actions.writing import write_report
from mitool.cli.common import typed_as
from mitool.cli.output import Output, readable
from mitool.cli.point_commands import BaseCommand, read_command
from mitool.cli.sweep_progress import SweepProgress
from mitool.core import device as devices
from mitool.core.config import nearest
from mitool.core.errors import MitoolError, RunError, UsageError, quoted
from mitool.report import sweep_report
from mitool.report.sweep import drawable_claims
from mitool.storage import layout
from mitool.storage.locking import held
from mitool.sweeps import (
    OWN_CLAIMS,
    Outcome,
    Point,
    Runner,
    SweepResult,
    one_value_each,
    sweep,
    threads_of,
)
from mitool.sweeps.cluster import RayRunner, require_address, require_gpus
from mitool.sweeps.grid import Assignment
from mitool.sweeps.local import LocalRunner, shared_cores

PRELOADED = {
    "train": ("mitool.cli.train", "mitool.actions.training", "torch._dynamo"),
    "superpose": ("mitool.cli.superpose", "mitool.actions.superposition", "torch._dynamo"),
}
"""What the processes of points would each load; torch loads the last when it makes an optimiser."""


@dataclass(frozen=True)
class Wanted:
    """The points of a sweep, where they run, and what is drawn of them."""

    base: str
    grid: Sequence[Assignment]
    metrics: Sequence[str] = ()
    jobs: int | None = None
    threads: int | None = None
    ray: str | None = None
    gpus: float = 0.0


def sweep_and_report(
    request: Request, wanted: Wanted, expect: Expect = lambda names: None
) -> Done[SweepResult]:
    """Run the points, and write their tables and the page that compares them."""
    base = read_command(wanted.base)
    points = base.points(wanted.grid)
    folder = request.out or layout.RUNS / _name(base, points)
    runner = _runner(request, wanted, base, points, folder)
    with held(folder):
        result = _sweep(request, wanted, base, points, folder, runner, expect)
        result = replace(result, warnings=(*result.warnings, *_not_drawn(wanted.metrics, result)))
        report = sweep_report(result, request.again, wanted.metrics)
        tables = [folder / name for name in layout.TABLES]
        return write_report(request, folder, result, report, tables)


def finish(output: Output, done: Done[SweepResult]) -> None:
    """Print what came out.

    Raises:
        RunError: all points failed.
        CheckFailed: a check is not met.
    """
    result = done.result
    # of points that all failed there are no claims to hold checks against
    printed = replace(output, checks=output.checks if result.claims["done"] else ())
    printed.finish_done(done, tables=[_table(result), *_alike(result)])
    require_some(result)


def require_some(result: SweepResult) -> None:
    """Check that at least one point is done.

    Raises:
        RunError: all failed.
    """
    if not result.claims["done"]:
        n_points, logs = len(result.outcomes), result.folder / layout.LOGS
        raise RunError(f"all {n_points} points failed; {logs} has what they say")


def run_command(arguments: Sequence[str]) -> int:
    """Run a command line of mitool in this process, and give its exit code."""
    from mitool.cli.main import app

    try:
        with typed_as(arguments):
            app(list(arguments), prog_name="mitool")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _sweep(
    request: Request,
    wanted: Wanted,
    base: BaseCommand,
    points: Sequence[Point],
    folder: Path,
    runner: Runner,
    expect: Expect,
) -> SweepResult:
    def look(first: Outcome) -> None:
        names = [*OWN_CLAIMS, *one_value_each(first.claims)]
        expect(names)
        for name in set(wanted.metrics) - set(names):
            raise UsageError(f"--metric: no claim is named {quoted(name)}: {nearest(name, names)}")

    with SweepProgress(request.console, look).shown() as progress:
        return sweep(
            base.words,
            points,
            folder,
            runner,
            progress,
            resume=request.resume,
            overwrite=request.overwrite,
            task_sha256=base.task_sha256,
        )


def _runner(
    request: Request, wanted: Wanted, base: BaseCommand, points: Sequence[Point], folder: Path
) -> Runner:
    before = threads_of(folder) if request.resume else None
    threads = wanted.threads or before
    if wanted.ray is not None:
        require_address(wanted.ray)
        require_gpus(wanted.gpus)
        return RayRunner(run_command, wanted.ray, threads or 1, wanted.gpus)
    jobs, threads = shared_cores(len(points), wanted.jobs, threads)
    _require_devices(base, points, threads)
    return LocalRunner(run_command, jobs, threads, PRELOADED[base.words[0]])


def _require_devices(base: BaseCommand, points: Sequence[Point], threads: int) -> None:
    """Check that this machine has the devices of the points.

    Raises:
        MitoolError: it has not.
    """
    wanted = {}
    for point in points:
        values = base.values_of(point)
        wanted[values["device"], values.get("dtype", "float32")] = point
    for (device, dtype), point in wanted.items():
        try:
            devices.resolve(device, dtype, threads)
        except MitoolError as failure:
            raise type(failure)(f"{point.name}: {failure}") from None


def _not_drawn(metrics: Sequence[str], result: SweepResult) -> list[str]:
    known = drawable_claims(result)
    return [
        f"--metric {name}: no claim of this name is a number that varies: {nearest(name, known)}"
        for name in metrics
        if name not in known
    ]


def _name(base: BaseCommand, points: Sequence[Point]) -> str:
    axes = dict.fromkeys(axis for point in points for axis in point.values)
    return layout.folder_name("sweep", base.label, *axes)


def _alike(result: SweepResult) -> list[str]:
    """What is claimed of all points that are done alike, on a line."""
    alike = []
    for name, values in result.claims.items():
        if isinstance(values, list) and name not in result.axes:
            known = {v for v, o in zip(values, result.outcomes, strict=True) if o.done}
            alike += [f"{name} {readable(v)}" for v in known if len(known) == 1 and v is not None]
    return [f"at all points: {', '.join(alike)}"] if alike else []


def _table(result: SweepResult) -> Table:
    """All points, with the claims that differ between them."""
    claims = drawable_claims(result)
    table = Table(box=None, pad_edge=False)
    for name in ("point", "status", *claims):
        table.add_column(escape(name), overflow="fold")
    for index, outcome in enumerate(result.outcomes):
        status = "done" if outcome.done else f"[red]failed ({outcome.exit_code})[/]"
        cells = [readable(values[index]) for values in claims.values()]
        table.add_row(outcome.point.name, status, *cells)
    return table
