"""The subcommands of ``mitool train``, each made when it is asked for.

Apart from its options, so that ``mitool --help`` loads no task.
"""

from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from mitool.errors import MitoolError


class TaskGroup(TyperGroup):
    """A group whose commands are the registry's tasks."""

    def list_commands(self, ctx: Any) -> list[str]:
        from mitool import tasks

        return tasks.names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from mitool import tasks
        from mitool.cli.train import train_command, train_help

        if ctx.resilient_parsing and cmd_name not in tasks.names():
            return None
        try:
            task = tasks.get(cmd_name)
            function = train_command(task)
        except MitoolError as error:
            from mitool.cli.output import Output

            Output("train").error(str(error))
            raise typer.Exit(error.exit_code) from None
        app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        app.command(cmd_name, help=train_help(task))(function)
        return get_command(app)
