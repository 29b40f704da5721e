"""Commands that load when they are used, so that a list of commands loads none of them."""

from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

import typer
from typer.main import get_command

from mitool.cli.parser import Command


class LazyCommand(Command):
    """The name of a command and its line of help, which stand for it until it is used.

    Its function takes nothing and makes the command.
    """

    def make_context(
        self, info_name: Any, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        assert self.callback is not None
        return self.callback().make_context(info_name, args, parent, **extra)


def add_commands(
    app: typer.Typer,
    groups: Mapping[str, typer.Typer],
    commands: Mapping[str, tuple[str, str]],
) -> None:
    """Add groups by their names, and commands by theirs: ``name`` or ``group name``.

    A command is given as where it lies, ``module:attribute``, and its line of help. What lies
    there is a function that ``command`` made, or a command of a class of its own.
    """
    for name, group in groups.items():
        app.add_typer(group, name=name)
    for full_name, (target, line) in commands.items():
        group_name, _, name = full_name.rpartition(" ")
        owner = groups[group_name] if group_name else app
        owner.command(name, help=line, cls=LazyCommand)(_loader(name, target))


def _loader(name: str, target: str) -> Callable[[], Command]:
    def load() -> Command:
        found = resolve_name(target)
        return found if isinstance(found, Command) else click_command(name, found)

    return load


def click_command(name: str, function: Callable[..., None], **settings: Any) -> Any:
    """A command, made of its function and of what Typer's ``command`` takes beside the name."""
    app = typer.Typer(add_completion=False)
    app.command(name, **{"cls": Command, **settings})(function)
    return get_command(app)
