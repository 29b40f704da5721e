"""Trainings of transformers."""

from collections.abc import Iterator, Sequence
from functools import partial
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from mitool.api.asking import computed_on, request_of
from mitool.api.calls import called
from mitool.api.finding import Finding
from mitool.api.keywords import divided, own_keywords, plain, required_seed, takes
from mitool.api.model import Model
from mitool.core.config import build
from mitool.core.errors import UsageError
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks import Task

if TYPE_CHECKING:
    from mitool.training import Evaluation, RunConfig, SeedsResult, TrainResult

TaskLike = str | PathLike[str] | Task | type[Task]
"""A task by its name or by its file, such as ``mytask.py:MyTask``, its class, or an instance."""


@takes(ModelSettings, TrainingSettings, preset_by="task", more="parameters")
def train(
    task: str | PathLike[str] | Task | type[Task],
    *,
    out: str | PathLike[str] | None = None,
    seed: int = 0,
    split_seed: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    formats: str | Sequence[str] = "html",
    device: str = "auto",
    dtype: str = "float32",
    threads: int | None = None,
    deterministic: bool = False,
    progress: bool = True,
    **values: Any,
) -> "Run":
    """Train a model on a task, from nothing to a report.

    The run's folder holds what ``mitool train`` leaves there. An interrupted run is saved, and
    goes on with ``resume=True`` to the same weights, bit for bit.

    Args:
        task: its name (``list_tasks`` has them), its file, such as ``mytask.py:MyTask``, its class,
            or one of its instances.
        out: the run's folder; left out, one in ``runs/`` that says task, settings and seed.
        seed: of all that is random.
        split_seed: of the division into training and test; left out, the run's seed.
        resume: go on with the run that the folder holds, if it holds one.
        overwrite: replace the run that the folder holds.
        tensorboard: log the metrics for TensorBoard too.
        formats: of the report, html or png or both; png needs a browser.
        device: auto, cpu, cuda, cuda:INDEX or mps.
        dtype: float32 or float64.
        threads: of the CPU, at most; left out, all cores, or one where steps are small.
        deterministic: refuse operators that may differ from run to run.
        progress: show how far it is.
        parameters: the task's own, such as p=113; the other settings are preset by the task.

    Raises:
        UsageError: the task or a setting is unknown or out of its range, or the folder cannot be
            used.
        InputError: the run to resume is damaged.
        RunError: the loss diverged, or memory, disk or the device failed.
        KeyboardInterrupt: the run was interrupted; it is saved.
    """
    from mitool.actions.training import train_one

    own = own_keywords(train)
    where = (device, dtype, threads, deterministic)
    given = {"seed": seed or None, "split_seed": split_seed, **computed_on(*where)}
    config = _config(task, own, values, *where, seed, split_seed, resume=resume)
    request = request_of(
        f"train {config.task.name}",
        called("mitool.train", _named(task), **given, **values),
        out=out,
        resume=resume,
        overwrite=overwrite,
        formats=formats,
        progress=progress,
    )
    done = train_one(request, config, tensorboard=tensorboard)
    return Run(done.result, request.again, done.envelope["warnings"], type(config.task))


@takes(ModelSettings, TrainingSettings, preset_by="task", more="parameters")
def train_seeds(
    task: str | PathLike[str] | Task | type[Task],
    seeds: Sequence[int],
    *,
    out: str | PathLike[str] | None = None,
    split_seed: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    formats: str | Sequence[str] = "html",
    device: str = "auto",
    dtype: str = "float32",
    threads: int | None = None,
    deterministic: bool = False,
    progress: bool = True,
    **values: Any,
) -> "Runs":
    """Train one model for each seed; arguments and errors are those of ``train``.

    Args:
        seeds: such as range(3); a folder can be resumed with more of them.
    """
    from mitool.actions.training import train_each

    chosen = _seeds(seeds)
    own = own_keywords(train_seeds)
    where = (device, dtype, threads, deterministic)
    given = {"split_seed": split_seed, **computed_on(*where)}
    config = _config(task, own, values, *where, 0, split_seed, resume=resume)
    request = request_of(
        f"train {config.task.name}",
        called("mitool.train_seeds", _named(task), chosen, **given, **values),
        out=out,
        resume=resume,
        overwrite=overwrite,
        formats=formats,
        progress=progress,
    )
    done = train_each(request, config, chosen, tensorboard=tensorboard)
    return Runs(done.result, request.again, done.envelope["warnings"], type(config.task))


class Run(Model, Finding["TrainResult"]):
    """A finished run: what training came to, and the model, to look into."""

    def __init__(
        self,
        result: "TrainResult",
        again: str,
        warnings: Sequence[str] | None = None,
        task: type[Task] | None = None,
    ) -> None:
        from mitool.models.subject import load
        from mitool.report import training_report

        Model.__init__(self, str(result.folder), partial(load, result.folder, task), task)
        Finding.__init__(self, result, result.folder, again, training_report, warnings)

    @property
    def history(self) -> "tuple[Evaluation, ...]":
        """The evaluations, from the first epoch on."""
        return self.result.history

    __repr__ = Finding.__repr__
    _repr_html_ = Finding._repr_html_


class Runs(Finding["SeedsResult"]):
    """Finished runs that differ in their seed."""

    def __init__(
        self, result: "SeedsResult", again: str, warnings: Sequence[str], task: type[Task]
    ) -> None:
        from mitool.report import training_report

        super().__init__(result, result.folder, again, training_report, warnings)
        self.runs = tuple(Run(run, again, task=task) for run in result.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, index: int) -> Run:
        return self.runs[index]


def _config(
    task: TaskLike,
    own: Sequence[str],
    values: dict[str, Any],
    device: str,
    dtype: str,
    threads: int | None,
    deterministic: bool,
    seed: int,
    split_seed: int | None,
    *,
    resume: bool,
) -> "RunConfig":
    """All that decides the weights of a run.

    Raises:
        UsageError: the task or a setting is unknown, or a value out of its range.
        RunError: the device is not there.
    """
    from mitool.core import device as devices
    from mitool.training import RunConfig

    cls, stated = task_of(task)
    of_task, of_model, of_training = divided(values, [cls, ModelSettings, TrainingSettings], own)
    config = RunConfig(
        task=build(cls, stated | of_task),
        model=build(ModelSettings, plain(cls.model) | of_model),
        training=build(TrainingSettings, plain(cls.training) | of_training),
        device=devices.resolve(str(device), dtype, threads, deterministic, resume=resume),
        seed=required_seed("seed", seed),
        split_seed=None if split_seed is None else required_seed("split_seed", split_seed),
    )
    return config.sized() if threads is None else config


def task_of(task: TaskLike) -> tuple[type[Task], dict[str, Any]]:
    """The class of a task, and the parameters that are given with it.

    Raises:
        UsageError: there is no such task.
        InputError: its file cannot be used.
    """
    from mitool import tasks

    if isinstance(task, Task):
        return type(task), plain(task)
    if isinstance(task, type) and issubclass(task, Task):
        return task, {}
    if not isinstance(task, str | PathLike):
        raise UsageError(
            f"task: expected the name of a task, or a task, or the file of one, found {task!r}"
        )
    return tasks.get(fspath(task)), {}


def _named(task: TaskLike) -> object:
    """What stands for a task in the text of a call."""
    from mitool import tasks

    if not isinstance(task, type):
        return task
    origin = tasks.origin_of(task)
    return task.name if origin is None else origin.reference


def _seeds(seeds: Sequence[int]) -> list[int]:
    """Seeds that differ.

    Raises:
        UsageError: they do not, or one is none.
    """
    try:
        chosen = [required_seed("seeds", seed) for seed in seeds]
    except TypeError:
        raise UsageError(f"seeds: expected several, such as range(3), found {seeds!r}") from None
    if not chosen or len(set(chosen)) < len(chosen):
        raise UsageError(f"seeds: expected different seeds, found {chosen}")
    return chosen
