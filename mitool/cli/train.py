"""``mitool train TASK``: one subcommand for each task, with its parameters as options."""

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    MOST_SEED,
    OUTPUT_PANEL,
    DeterministicOption,
    DeviceOption,
    DtypeOption,
    FormatOption,
    Formats,
    OutOption,
    OverwriteOption,
    ResumeOption,
    SeedOption,
    ThreadsOption,
    command_line,
)
from mitool.cli.settings import chosen, options, take_options
from mitool.config import build
from mitool.errors import UsageError
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks import Task

if TYPE_CHECKING:
    from mitool.cli.output import Output

MOST_SEEDS = 10_000

SeedsOption = Annotated[
    str | None,
    typer.Option(
        metavar="0-4",
        help="Train a model for each of these seeds: a range, or a list such as 0,3,7.",
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
        help="Log the metrics for TensorBoard too (needs mitool\\[tensorboard]).",
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
        from mitool import device as devices
        from mitool.cli.training import Request, train_and_report
        from mitool.training import RunConfig

        if seeds is not None and seed:
            raise UsageError("--seed and --seeds exclude each other: give one of them")
        config = RunConfig(
            task=build(task_cls, chosen(task_cls, settings)),
            model=build(ModelSettings, chosen(ModelSettings, settings)),
            training=build(TrainingSettings, chosen(TrainingSettings, settings)),
            device=devices.resolve(device, dtype, threads, deterministic),
            seed=seed,
            split_seed=split_seed,
        )
        request = Request(
            config=config,
            seeds=parse_seeds(seeds) if seeds is not None else None,
            out=out,
            resume=resume,
            overwrite=overwrite,
            tensorboard=tensorboard,
            formats=Formats.parse(report_format),
            command_line=command_line(),
        )
        train_and_report(output, request)

    take_options(run, made, f"task {task_cls.name}")
    return command(f"train {task_cls.name}")(run)


def train_help(task_cls: type[Task]) -> str:
    """The help text of a task's command."""
    example = f"mitool train {task_cls.name}"
    if first := next((field.name for field in fields(task_cls)), None):
        example += f" --{first.replace('_', '-')} {getattr(task_cls(), first)}"
    return f"{task_cls.summary}\n\nExample: {example}\n\nSources: {'; '.join(task_cls.sources)}"


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
                f"--seeds: expected a range or list such as 0-4 or 0,3,7, found {text!r}"
            )
        if int(last or first) > MOST_SEED or int(last or first) - int(first) >= MOST_SEEDS:
            raise UsageError(f"--seeds: expected at most {MOST_SEEDS} seeds, found {text!r}")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds: expected different seeds, in rising ranges, found {text!r}")
    return seeds
