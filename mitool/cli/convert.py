"""``mitool convert FILE``: other libraries' weights to checkpoints, and checkpoints to bridges."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mitool.actions.conversion import SUFFIX, file_for
from mitool.cli.command import command
from mitool.cli.common import OUTPUT_PANEL, ThreadsOption
from mitool.cli.lazy import click_command
from mitool.cli.parser import Command
from mitool.cli.settings import chosen, option_name, options, take_options
from mitool.core.config import build
from mitool.core.errors import UsageError
from mitool.settings import ConversionSettings

if TYPE_CHECKING:
    from mitool.cli.output import Output
    from mitool.tasks import Task
    from mitool.training.conversion import ConversionResult

TASK = "--task"
HELP = (
    "Make a checkpoint of another library's weights, and try it on the task that they learned.\n\n"
    "Reads state dicts of TransformerLens's HookedTransformer and TransformerBridge and of the "
    "original grokking notebook, as torch, Lightning or safetensors saved them; what wrappers add "
    "to names, copies of weights and masks are left out with a warning, and --rename says what "
    "else is called otherwise. With --task NAME, --help shows that task's options too. --to "
    "bridge goes the other way, from a checkpoint."
)


def _task_names() -> list[str]:
    from mitool import tasks

    return tasks.names()


FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A state dict; for --to a checkpoint, or a run directory."),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        TASK,
        metavar="NAME",
        help="The task that the model was trained on, or its file, as ./mytask.py:MyTask; its "
        "options are then known as well.",
        autocompletion=_task_names,
    ),
]
ToOption = Annotated[
    Literal["bridge"] | None,
    typer.Option(help="Write a TransformerBridge's state dict of a checkpoint instead."),
]
OutFileOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help=f"File to write to; left out: FILE's name with {SUFFIX}, beside it.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
OverwriteFileOption = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace the file that is there.", rich_help_panel=OUTPUT_PANEL
    ),
]


class ConvertCommand(Command):
    """A command that has a task's options too where its arguments name the task."""

    def make_context(
        self, info_name: Any, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        name = named_task(args)
        if name is None or (extra.get("resilient_parsing") and name not in _task_names()):
            return super().make_context(info_name, args, parent, **extra)
        from mitool import tasks

        asked = click_command(info_name, convert_command(tasks.get(name)))
        return asked.make_context(info_name, args, parent, **extra)


def named_task(arguments: Sequence[str]) -> str | None:
    """The task that arguments name, the last one if they name several."""
    name = None
    for word, following in itertools.zip_longest(arguments, arguments[1:]):
        if word == "--":
            break
        if word == TASK:
            name = following
        elif word.startswith(f"{TASK}="):
            name = word.removeprefix(f"{TASK}=")
    return name


def convert_command(task_cls: "type[Task] | None") -> Callable[..., None]:
    """The command, with the options of a task where one is named."""
    made = options(ConversionSettings, ConversionSettings(), "Conversion")
    if task_cls is not None:
        made = [*options(task_cls, task_cls(), f"Task {task_cls.name}"), *made]

    def convert(
        output: "Output",
        file: FileArgument,
        task: TaskOption = None,
        to: ToOption = None,
        out: OutFileOption = None,
        overwrite: OverwriteFileOption = False,
        threads: ThreadsOption = None,
        **settings: Any,
    ) -> None:
        from mitool.cli.checks import require_known

        stated = build(ConversionSettings, chosen(ConversionSettings, settings))
        if to is not None:
            of_task = [] if task_cls is None else [build(task_cls, chosen(task_cls, settings))]
            _require_alone(task, [stated, *of_task])
            result, target = _to_bridge(file, task_cls, out, overwrite, threads)
        elif task_cls is None:
            names = ", ".join(_task_names())
            raise UsageError(
                f"expected {TASK} NAME, the task that the model was trained on (known: {names}), "
                "or --to bridge for a checkpoint of mitool"
            )
        else:
            from mitool.storage import state_dict
            from mitool.training import conversion

            state_dict.require_file(file)
            asked = build(task_cls, chosen(task_cls, settings))
            target = file_for(file, out, overwrite, "-mitool")
            result = conversion.convert(file, asked, stated, threads=threads)
        require_known(output.checks, result.checkable)
        output.note(f"writing {target}")
        result.save(target)
        output.finish(result, artifacts=[target])

    convert.__doc__ = HELP
    take_options(convert, made, "convert" if task_cls is None else f"task {task_cls.name}")
    return command("convert")(convert)


convert = click_command("convert", convert_command(None), cls=ConvertCommand)


def _require_alone(task: str | None, stated: Sequence[Any]) -> None:
    """Check that nothing is said of a checkpoint that it says itself; of a task in a file it does
    not say the code.

    Raises:
        UsageError: something is.
    """
    from mitool import tasks

    is_installed = task is not None and not tasks.is_reference(task)
    given = [
        option_name(field.name)
        for settings in stated
        for field in fields(settings)
        if getattr(settings, field.name) != field.default
    ]
    if is_installed or given:
        option = TASK if is_installed else given[0]
        raise UsageError(
            f"{option} and --to exclude each other: a checkpoint says itself what its task and "
            "model are; leave one of them out"
        )


def _to_bridge(
    path: Path, task: "type[Task] | None", out: Path | None, overwrite: bool, threads: int | None
) -> "tuple[ConversionResult, Path]":
    from mitool.models.subject import load
    from mitool.training import conversion

    subject = load(path, task)
    target = file_for(subject.path, out, overwrite, "-bridge")
    return conversion.convert_to_bridge(subject, threads=threads), target
