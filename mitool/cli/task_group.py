"""The subcommands of ``mitool train``, each made when it is asked for.

Apart from their options, so that ``mitool --help`` loads no task.
"""

from typing import TYPE_CHECKING, Any

from mitool.cli.command import command
from mitool.cli.lazy import click_command
from mitool.cli.parser import Group
from mitool.core.errors import MitoolError

if TYPE_CHECKING:
    from mitool.cli.output import Output


class TaskGroup(Group):
    """A group whose commands are the registry's tasks, and those of files that are named."""

    noun = "task"

    def list_commands(self, ctx: Any) -> list[str]:
        from mitool import tasks

        return tasks.names()

    def has(self, ctx: Any, name: str) -> bool:
        from mitool import tasks

        return tasks.is_reference(name) or super().has(ctx, name)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from mitool import tasks

        if not self.has(ctx, cmd_name):
            return None
        try:
            from mitool.cli.train import train_command, train_help

            task = tasks.get(cmd_name)
            return click_command(cmd_name, train_command(task), help=train_help(task))
        except MitoolError as error:
            return _broken(cmd_name, error)


def _broken(name: str, error: MitoolError) -> Any:
    """A command for a task that does not load: it is listed, and says why when it is used."""

    @command(f"train {name}")
    def fail(output: "Output") -> None:
        raise error

    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    return click_command(name, fail, help=str(error), context_settings=settings)
