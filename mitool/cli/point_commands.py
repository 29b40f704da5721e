"""The commands that a sweep runs: read and checked before the first of them is run."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from typer.main import get_command

from mitool import tasks
from mitool.cli.settings import option_name, settings_of
from mitool.core.config import nearest
from mitool.core.errors import UsageError, quoted, said
from mitool.report import Formats
from mitool.sweeps import Point, point_name
from mitool.sweeps.grid import Assignment

EXPECTED = "expected 'train TASK' or 'superpose EXPERIMENT' with its options"
HELP = {"--help", "-h"}
TAKEN = {
    "seeds": "give --grid seed=0:3",
    **dict.fromkeys(("source", "list_all"), "it would train nothing"),
    **dict.fromkeys(("out", "resume", "overwrite", "threads"), "give it to the sweep"),
    **dict.fromkeys(("as_json", "quiet", "check", "debug"), "give it to the sweep"),
}
"""Options that no point takes, by the name of the parameter, and what to do instead."""


@dataclass(frozen=True)
class BaseCommand:
    """What all points of a sweep have in common.

    Attributes:
        words: the command as typed, word by word; a task's file by its whole path.
        label: the name of the task or experiment.
        task_sha256: of what the task's file holds; None of an installed one.
        group: typer's context of the group that it is of.
        command: typer's command.
    """

    words: tuple[str, ...]
    label: str
    task_sha256: str | None
    group: Any
    command: Any

    @property
    def name(self) -> str:
        return " ".join(self.words[:2])

    def points(self, grid: Sequence[Assignment]) -> list[Point]:
        """The points of a grid, each with its command line.

        Raises:
            MitoolError: there is no such option, or a value is not one that it takes.
        """
        for axis in dict.fromkeys(axis for values in grid for axis in values):
            self._require_free(axis)
        points = [self._point(values) for values in grid]
        names: set[str] = set()
        for point in points:
            # some file systems do not tell capitals from small letters
            if (name := point.name.casefold()) in names:
                raise UsageError(f"two points have the name {point.name}: give different values")
            names.add(name)
        return points

    def values_of(self, point: Point) -> dict[str, Any]:
        """The values of all options at a point, by the names of the parameters."""
        return dict(self._read(point.arguments[2:]).params)

    def _point(self, values: Assignment) -> Point:
        options = [word for axis, text in values.items() for word in self._words(axis, text)]
        arguments = [*self.words[2:], *options]
        try:
            context = self._read(arguments)
            settings_of(context.command.callback, context.params)
        except UsageError as failure:
            raise UsageError(f"{self.name}, {_shown(values)}: {failure}") from None
        if context.params.get("report_format") is None:
            arguments += ["--format", "html"]  # a browser at each point would be slow
        return Point(point_name(values), values, (*self.words[:2], *arguments))

    def _words(self, axis: str, text: str) -> list[str]:
        """An option as it is typed."""
        option = self._options[axis]
        if not option.is_flag:
            values = [text] if option.nargs == 1 else text.split()
            return [option_name(axis), *values]
        if text not in ("true", "false"):
            raise UsageError(f"{axis}: expected true or false, found {quoted(text)}")
        if text == "true":
            return [option_name(axis)]
        return option.secondary_opts[:1]

    @cached_property
    def _base(self) -> Any:
        try:
            return self._read(self.words[2:])
        except UsageError as failure:
            raise UsageError(f"{self.name}: {failure}") from None

    @cached_property
    def _options(self) -> dict[str, Any]:
        """The command's options, by the names of axes."""
        return {
            name.removeprefix("--").replace("-", "_"): option
            for option in self._base.command.params
            for name in option.opts
            if name.startswith("--")
        }

    def require_own(self) -> None:
        """Check that the command has no option that is the sweep's.

        Raises:
            UsageError: it has, or cannot be read.
        """
        for option in self._base.command.params:
            if option.name in TAKEN and self._is_given(option):
                raise UsageError(
                    f"{self.name}: {option.opts[0]} has no place here: {TAKEN[option.name]}"
                )
        Formats.parse(self._base.params.get("report_format"))

    def _require_free(self, axis: str) -> None:
        """Check that an axis is an option that can be one.

        Raises:
            UsageError: it is not, or has a value already.
        """
        free = {name for name, option in self._options.items() if option.name not in TAKEN}
        if axis not in self._options:
            hint = nearest(option_name(axis), map(option_name, free))
            raise UsageError(f"{self.name} has no option {option_name(axis)}: {hint}")
        option = self._options[axis]
        if option.name in TAKEN:
            raise UsageError(f"the axis {axis} is no setting of a point: {TAKEN[option.name]}")
        if self._is_given(option):
            raise UsageError(
                f"{option_name(axis)} is given in the command and as an axis: give it once"
            )

    def _is_given(self, option: Any) -> bool:
        return self._base.get_parameter_source(option.name).name == "COMMANDLINE"

    def _read(self, arguments: Sequence[str]) -> Any:
        return self.command.make_context(self.words[1], list(arguments), self.group)


def read_command(text: str) -> BaseCommand:
    """Read the command of a sweep.

    Raises:
        UsageError: it is none that a sweep can run, or is not understood.
    """
    from mitool.cli.main import COMMANDS, app

    try:
        words = tuple(shlex.split(text))
    except ValueError as failure:
        raise UsageError(f"{EXPECTED}, found {quoted(text)}: {said(failure)}") from failure
    kind, name, *_ = (*words, "", "")
    if kind not in ("train", "superpose") or HELP & set(words):
        raise UsageError(f"{EXPECTED}, found {quoted(text)}")
    experiments = [full.split()[1] for full in COMMANDS if full.startswith("superpose ")]
    known = tasks.names() if kind == "train" else experiments
    is_file = kind == "train" and tasks.is_reference(name)
    if name not in known and not is_file:
        raise UsageError(f"{EXPECTED}, found {quoted(text)}: {nearest(name, known)}")
    label, origin = name, None
    if kind == "train":
        task = tasks.get(name)  # says why, where it is one that does not load
        label, origin = task.name, tasks.origin_of(task)
    if is_file:  # for processes and nodes that work elsewhere
        name = str(Path(name).absolute())
        words = (kind, name, *words[2:])
    mitool: Any = get_command(app)
    top = mitool.make_context("mitool", [kind], resilient_parsing=True)
    group = mitool.get_command(top, kind)
    context = group.make_context(kind, [name], parent=top, resilient_parsing=True)
    sha256 = origin.sha256 if origin else None
    base = BaseCommand(words, label, sha256, context, group.get_command(context, name))
    base.require_own()
    return base


def _shown(values: Assignment) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())
