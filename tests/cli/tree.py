"""The tree of commands, as typer reads it."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from mitool.cli.main import app


def top() -> Any:
    """The context of ``mitool`` itself."""
    command: Any = get_command(app)
    return command.make_context("mitool", [], resilient_parsing=True)


def below(group: Any) -> Iterator[Any]:
    """The contexts of all commands and groups below a group."""
    for name in group.command.list_commands(group):
        command = group.command.get_command(group, name)
        context = command.make_context(name, [], parent=group, resilient_parsing=True)
        yield context
        if is_group(context):
            yield from below(context)


def is_group(context: Any) -> bool:
    return hasattr(context.command, "list_commands")


def name_of(context: Any) -> str:
    """The command's name without ``mitool``; empty for that itself."""
    return str(context.command_path.partition(" ")[2])


def read(words: list[str]) -> Any:
    """The context of a command line without ``mitool``, read in earnest."""
    context = top()
    while is_group(context):
        name, *words = words
        command = context.command.get_command(context, name)
        assert command is not None, name
        is_last = not hasattr(command, "list_commands")
        context = command.make_context(
            name, list(words) if is_last else [], parent=context, resilient_parsing=not is_last
        )
    return context


CONTEXTS = [top(), *below(top())]
NAMES = [name_of(context) for context in CONTEXTS]
