"""Trainings at every point of a grid."""

from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitool.api.asking import listed, request_of
from mitool.api.calls import called
from mitool.api.finding import Finding
from mitool.api.keywords import takes
from mitool.core.errors import UsageError

if TYPE_CHECKING:
    from mitool.sweeps import SweepResult


@takes()
def sweep(
    command: str,
    grid: Mapping[str, Any] | str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    jobs: int | None = None,
    threads: int | None = None,
    ray: str | None = None,
    gpus_per_point: float = 0.0,
    metrics: str | Sequence[str] = (),
    formats: str | Sequence[str] = "html",
    progress: bool = True,
) -> "Finding[SweepResult]":
    """Run a training at every point of a grid, and compare what comes out.

    Args:
        command: what to run, as it is typed: ``train TASK`` or ``superpose EXPERIMENT`` with
            options that all points share.
        grid: the values of each option, for all combinations, such as
            ``{"p": [53, 97], "seed": range(3)}``; or a file with them, JSON or TOML.
        out: the sweep's folder; left out, one in ``runs/``.
        resume: run what is missing or failed, of this grid or of a larger one.
        overwrite: replace the sweep that the folder holds.
        jobs: points at once; left out, as many as there are cores for.
        threads: of the CPU, of each point; left out, its share of the cores.
        ray: the address of a Ray cluster to run on, or auto.
        gpus_per_point: with ``ray``, a share such as 0.25, or a whole number.
        metrics: claims of the points to draw; left out, those that vary.
        formats: of the report, html or png or both; png needs a browser.
        progress: show how far it is.

    Raises:
        UsageError: the command or the grid is not understood, or the folder cannot be used.
        InputError: the grid's file cannot be used.
        RunError: all points failed.
        KeyboardInterrupt: the sweep was interrupted; what ran is saved.
    """
    from mitool.cli.sweeping import Wanted, require_some, sweep_and_report
    from mitool.report import sweep_report
    from mitool.sweeps.grid import grid_of, read_grid

    if ray is None and gpus_per_point:
        raise UsageError("gpus_per_point is for ray: give both or neither")
    if ray is not None and jobs is not None:
        raise UsageError("jobs is for this machine: leave it out with ray, which schedules")
    if not isinstance(command, str):
        raise UsageError(f"command: expected a text such as 'train modadd', found {command!r}")
    drawn = listed("metrics", metrics)
    points = grid_of(grid) if isinstance(grid, Mapping) else read_grid(Path(grid))
    wanted = Wanted(command, points, drawn, jobs, threads, ray, gpus_per_point)
    request = request_of(
        "sweep",
        called(
            "mitool.sweep",
            command,
            grid,
            metrics=drawn,
            jobs=jobs,
            threads=threads,
            ray=ray,
            gpus_per_point=gpus_per_point or None,
        ),
        out=out,
        resume=resume,
        overwrite=overwrite,
        formats=formats,
        progress=progress,
    )
    done = sweep_and_report(request, wanted)
    require_some(done.result)
    draw = partial(_draw, sweep_report, drawn)
    return Finding(done.result, done.folder, request.again, draw, done.envelope["warnings"])


def _draw(report: Any, metrics: Sequence[str], result: "SweepResult", again: str) -> Any:
    return report(result, again, metrics)
