"""The subcommands of ``mitool train``, each made when it is asked for.

Apart from their options, so that ``mitool --help`` loads no task.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from mitool.cli.command import command
from mitool.cli.lazy import click_command
from mitool.errors import MitoolError

if TYPE_CHECKING:
    from mitool.cli.output import Output


class TaskGroup(TyperGroup):
    """A group whose commands are the registry's tasks."""

    def list_commands(self, ctx: Any) -> list[str]:
        from mitool import tasks

        with reported("train"):
            return tasks.names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from mitool import tasks

        known = cmd_name in self.list_commands(ctx)
        if not known and ctx.resilient_parsing:
            return None
        with reported("train"):
            try:
                from mitool.cli.train import train_command, train_help

                task = tasks.get(cmd_name)
                return click_command(cmd_name, train_command(task), help=train_help(task))
            except MitoolError as error:
                if not known:
                    raise
                return _broken(cmd_name, error)


def _broken(name: str, error: MitoolError) -> Any:
    """A command for a plugin that does not load: it is listed, and says why when it is used."""

    @command(f"train {name}")
    def fail(output: "Output") -> None:
        raise error

    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    return click_command(name, fail, help=str(error), context_settings=settings)


@contextlib.contextmanager
def reported(command_name: str) -> Iterator[None]:
    """End with an error's message and exit code where no command is there yet to do so."""
    try:
        yield
    except MitoolError as error:
        from mitool.cli.output import Output

        Output(command_name).error(str(error))
        raise typer.Exit(error.exit_code) from None
