"""Commands and groups as typer makes them, with mitool's help pages and messages.

A command line that cannot be read is a ``UsageError``, as all is that is wrong with a request; at
the top an error becomes a message and an exit code.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

from mitool.core.errors import MitoolError, UsageError

HELP = {"help_option_names": ["--help", "-h"]}
"""What typer is told of the command line as a whole."""

MISREAD: Any = typer.BadParameter.__base__
"""What typer raises of a command line that it cannot read; public only as this base."""


class Command(TyperCommand):
    """A command with a help page of mitool's, whose line is read with mitool's messages."""

    allow_extra_args = True  # which are refused below, in mitool's words

    def get_help_option(self, ctx: Any) -> Any:
        return _with_page(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _write_page(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "" in args and not ctx.resilient_parsing:
            raise UsageError(
                "expected a value, found an empty one; is a variable of the shell unset?"
            )
        with _own_words(ctx):
            rest = super().parse_args(ctx, args)
        if rest and not (ctx.resilient_parsing or ctx.ignore_unknown_options):
            from mitool.cli.usage import too_much

            raise UsageError(too_much(rest, ctx))
        return rest


class Group(TyperGroup):
    """A group with a help page of mitool's, which knows where else a name is a command.

    Attributes:
        noun: what its members are.
    """

    noun = "command"

    def has(self, ctx: Any, name: str) -> bool:
        """Whether it has a member of that name."""
        return name in self.list_commands(ctx)

    def get_help_option(self, ctx: Any) -> Any:
        return _with_page(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _write_page(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not set(args) - {"--"} and not ctx.resilient_parsing:
            _print_page(ctx, sys.stderr)
            raise typer.Exit(UsageError.exit_code)
        with _own_words(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if not self.has(ctx, args[0]) and not ctx.resilient_parsing:
            from mitool.cli.usage import no_command

            raise UsageError(no_command(args[0], ctx))
        return super().resolve_command(ctx, args)


class ExperimentGroup(Group):
    """A group of experiments."""

    noun = "experiment"


class TopGroup(Group):
    """The whole command line, and the boundary of its errors."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Groups, which are what most come for, and then the commands."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: not isinstance(self.commands[name], Group))

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        run: Any = super().main
        try:
            code = run(*args, standalone_mode=False, **extra)
        except MitoolError as error:
            code = _reported(str(error), error.exit_code)
        except MISREAD as failure:
            code = _reported(failure.format_message(), UsageError.exit_code)
        finally:
            _settle()
        if standalone_mode:
            sys.exit(code)
        return code


def _settle() -> None:
    """Write out what is still to be printed, or drop it: no reader is left, and the interpreter
    would try once more at its end.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def _reported(message: str, exit_code: int) -> int:
    from mitool.cli.output import Output

    Output("mitool").error(message)
    return exit_code


@contextlib.contextmanager
def _own_words(ctx: Any) -> Iterator[None]:
    """Raise ``UsageError`` of a command line that cannot be read."""
    try:
        yield
    except MISREAD as failure:
        from mitool.cli.usage import explained

        raise UsageError(explained(failure, ctx)) from None


def _with_page(option: Any) -> Any:
    """The option ``--help``, made to print the page."""
    option.callback, option.help = _show_page, "Show this page."
    return option


def _show_page(ctx: Any, _param: Any, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        _print_page(ctx, sys.stdout)
        ctx.exit()


def _print_page(ctx: Any, file: TextIO | None) -> None:
    from mitool.cli.help_page import help_page
    from mitool.console.terminal import console_on, print_all

    print_all(help_page(ctx, console_on(file, pipe_width=None).width), file)


def _write_page(ctx: Any, formatter: Any) -> None:
    from mitool.cli.help_page import help_page

    formatter.write("\n".join(block.plain for block in help_page(ctx, formatter.width)))
