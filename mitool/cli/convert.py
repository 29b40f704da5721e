"""``mitool convert FILE``: other libraries' weights to checkpoints, and checkpoints to bridges."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from mitool.cli.command import command
from mitool.cli.common import OUTPUT_PANEL, ThreadsOption
from mitool.cli.lazy import click_command
from mitool.cli.settings import chosen, options, take_options
from mitool.cli.task_group import reported
from mitool.config import build
from mitool.errors import UsageError
from mitool.settings import ConversionSettings

if TYPE_CHECKING:
    from mitool.cli.output import Output
    from mitool.conversion import ConversionResult
    from mitool.tasks import Task

TASK = "--task"
SUFFIX = ".safetensors"
HELP = (
    "Make a checkpoint of another library's weights, and try it on the task that they learned.\n\n"
    "Reads state dicts of TransformerLens's HookedTransformer and TransformerBridge and of the "
    "original grokking notebook, as torch or safetensors saved them. With --task NAME, --help "
    "shows that task's options too. --to bridge goes the other way, from a checkpoint.\n\n"
    "Example: mitool convert model.pt --task min --split-seed 4"
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
        help="The task that the model was trained on; its options are then known as well.",
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


class ConvertCommand(TyperCommand):
    """A command that has a task's options too where its arguments name the task."""

    def make_context(
        self, info_name: Any, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        name = named_task(args)
        if name is None or (extra.get("resilient_parsing") and name not in _task_names()):
            return super().make_context(info_name, args, parent, **extra)
        from mitool import tasks

        with reported("convert"):
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
        stated = build(ConversionSettings, chosen(ConversionSettings, settings))
        if to is not None:
            _require_alone(task, stated)
            result, target = _to_bridge(file, out, overwrite, threads)
        elif task_cls is None:
            names = ", ".join(_task_names())
            raise UsageError(
                f"expected {TASK} NAME, the task that the model was trained on (known: {names}), "
                "or --to bridge for a checkpoint of mitool"
            )
        else:
            from mitool import conversion, state_file

            state_file.require_file(file)
            asked = build(task_cls, chosen(task_cls, settings))
            target = _target(file, out, overwrite, "-mitool")
            result = conversion.convert(file, asked, stated, threads=threads)
        output.note(f"writing {target}")
        result.save(target)
        output.finish(result, artifacts=[target])

    convert.__doc__ = HELP
    take_options(convert, made, "convert" if task_cls is None else f"task {task_cls.name}")
    return command("convert")(convert)


convert = click_command("convert", convert_command(None), cls=ConvertCommand)


def _require_alone(task: str | None, stated: ConversionSettings) -> None:
    given = [f.name for f in fields(stated) if getattr(stated, f.name) != f.default]
    if task is not None or given:
        option = TASK if task is not None else f"--{given[0].replace('_', '-')}"
        raise UsageError(
            f"{option} and --to exclude each other: a checkpoint says itself what its task and "
            "model are; leave one of them out"
        )


def _to_bridge(
    path: Path, out: Path | None, overwrite: bool, threads: int | None
) -> "tuple[ConversionResult, Path]":
    from mitool import conversion
    from mitool.subject import load

    subject = load(path)
    target = _target(subject.path, out, overwrite, "-bridge")
    return conversion.convert_to_bridge(subject, threads=threads), target


def _target(path: Path, out: Path | None, overwrite: bool, ending: str) -> Path:
    """The file to write to, which is not the one that is read.

    Raises:
        UsageError: it is that one, is there already, is a folder, or has another ending.
    """
    default = path.with_suffix(SUFFIX)
    if path.suffix == SUFFIX or ending == "-bridge":
        default = path.with_name(f"{path.stem}{ending}{SUFFIX}")
    target = out or default
    try:
        exists = target.exists()
    except OSError as failure:
        raise UsageError(f"{target}: cannot be written: {failure.strerror}") from None
    if target.suffix != SUFFIX:
        raise UsageError(f"--out: expected a name that ends in {SUFFIX}, found {target}")
    is_source = _is_same(target, path)
    if target.is_dir() or is_source:
        what = "the file that is read" if is_source else "a folder"
        raise UsageError(f"--out: expected a file to write to, found {what}, {target}")
    if exists and not overwrite:
        raise UsageError(
            f"{target}: is there already; replace it with --overwrite, or choose another --out"
        )
    return target


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False
