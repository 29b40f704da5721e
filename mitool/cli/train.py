"""``mitool train TASK``: one subcommand for each task, with its parameters as options."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    OUTPUT_PANEL,
    DeterministicOption,
    DeviceOption,
    DtypeOption,
    FormatOption,
    OutOption,
    OverwriteOption,
    ResumeOption,
    SeedOption,
    ThreadsOption,
    request_of,
)
from mitool.cli.settings import chosen, options, take_options
from mitool.core.config import build
from mitool.core.errors import UsageError, quoted
from mitool.settings import ModelSettings, TrainingSettings
from mitool.settings.seeds import MOST_SEED
from mitool.tasks import Task

if TYPE_CHECKING:
    from mitool.cli.output import Output

MOST_SEEDS = 10_000

SeedsOption = Annotated[
    str | None,
    typer.Option(
        metavar="0-4",
        help="Train a model for each of these seeds: a range, or a list such as 0,3,7; left out: "
        "one model, of --seed.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
SplitSeedOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MOST_SEED,
        help="Seed of the division into training and test; left out: the run's seed.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
TensorBoardOption = Annotated[
    bool,
    typer.Option(
        "--tensorboard",
        help="Log the metrics for TensorBoard too (needs mitool[tensorboard]).",
        rich_help_panel=OUTPUT_PANEL,
    ),
]


def train_command(task_cls: type[Task]) -> Callable[..., None]:
    """The command that trains on a task: its parameters, the model's and the training's."""
    made = [
        *options(task_cls, task_cls(), "Task"),
        *options(ModelSettings, task_cls.model, "Model"),
        *options(TrainingSettings, task_cls.training, "Training"),
    ]

    def run(
        output: "Output",
        out: OutOption = None,
        seed: SeedOption = 0,
        seeds: SeedsOption = None,
        split_seed: SplitSeedOption = None,
        resume: ResumeOption = False,
        overwrite: OverwriteOption = False,
        tensorboard: TensorBoardOption = False,
        report_format: FormatOption = None,
        device: DeviceOption = "auto",
        dtype: DtypeOption = "float32",
        threads: ThreadsOption = None,
        deterministic: DeterministicOption = False,
        **settings: Any,
    ) -> None:
        from mitool.actions.training import train_each, train_one
        from mitool.core import device as devices
        from mitool.report import Formats
        from mitool.training import RunConfig, claim_names

        if seeds is not None and seed:
            raise UsageError("--seed and --seeds exclude each other: give one of them")
        config = RunConfig(
            task=build(task_cls, chosen(task_cls, settings)),
            model=build(ModelSettings, chosen(ModelSettings, settings)),
            training=build(TrainingSettings, chosen(TrainingSettings, settings)),
            device=devices.resolve(device, dtype, threads, deterministic, resume=resume),
            seed=seed,
            split_seed=split_seed,
        )
        config = config.sized() if threads is None else config
        several = parse_seeds(seeds) if seeds is not None else None
        formats = Formats.parse(report_format)
        request = request_of(output, out, formats, resume=resume, overwrite=overwrite)
        output.require_known(claim_names(config.task, several))
        if several is None:
            output.finish_done(train_one(request, config, tensorboard=tensorboard))
        else:
            output.finish_done(train_each(request, config, several, tensorboard=tensorboard))

    take_options(run, made, f"task {task_cls.name}")
    return command(f"train {task_cls.name}", trains=True)(run)


def train_help(task_cls: type[Task]) -> str:
    """The help text of a task's command."""
    return f"{task_cls.summary}.\n\nSources: {'; '.join(task_cls.sources)}"


def parse_seeds(text: str) -> list[int]:
    """Seeds from a list of numbers and ranges, such as ``0-4,9``.

    Raises:
        UsageError: it is none.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(
                f"--seeds: expected a range or list such as 0-4 or 0,3,7, found {quoted(text)}"
            )
        if max(map(len, (first, last))) > len(str(MOST_SEED)) or int(last or first) > MOST_SEED:
            raise UsageError(f"--seeds: expected seeds up to {MOST_SEED}, found {quoted(text)}")
        if len(seeds) + int(last or first) - int(first) >= MOST_SEEDS:
            raise UsageError(f"--seeds: expected at most {MOST_SEEDS} seeds, found {quoted(text)}")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(
            f"--seeds: expected different seeds, in rising ranges, found {quoted(text)}"
        )
    return seeds
