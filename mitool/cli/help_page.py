"""The page that ``--help`` prints: what a command does, how it is typed, and every option whole.

Names are never cut: on a narrow terminal what an option is stands below its name.
"""

import inspect
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from rich.text import Text
from typer.core import TyperArgument

from mitool.cli.examples import examples_of

WIDEST = 100
"""Columns that a line of text takes at most."""

TWO_COLUMNS = 72
"""Columns of a terminal that has room for names on the left and texts on the right."""

NAME_COLUMN, INDENT = 28, 6
"""Where the text beside a name begins, and the text below one."""

VALUES = {int: "INT", float: "NUMBER", Path: "PATH", str: "TEXT"}
"""What a value is called, by its type."""

STAY = "\N{NO-BREAK SPACE}"
"""Between words that are to stay on a line while it is filled."""

OPTIONS = "Options"
"""The heading of options that have none."""


def help_page(context: Any, columns: int) -> Iterator[Text]:
    """The page of the context's command, line by line or paragraph by paragraph."""
    command, width = context.command, min(columns, WIDEST)
    yield Text.assemble(("Usage: ", "bold yellow"), (usage(context), "bold"))
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield Text("\n" + textwrap.fill(" ".join(paragraph.split()), width))
    examples = examples_of(context.command_path.partition(" ")[2])
    yield from _section("Examples", [Text(f"  {line}") for line in examples])
    yield from _section(*_commands(context, width))
    for heading, params in _panels(context).items():
        yield from _section(heading, [_entry(_name(p), _told(p), width) for p in params])


def usage(context: Any) -> str:
    """How the command is typed: ``mitool analyze attn MODEL [OPTIONS]``."""
    words = [context.command_path]
    for param in context.command.params:
        if isinstance(param, TyperArgument):
            words.append(value_name(param) if param.required else f"[{value_name(param)}]")
    if hasattr(context.command, "noun"):
        words.append(context.command.noun.upper())
    return " ".join([*words, "[OPTIONS]"])


def value_name(param: Any) -> str:
    """What stands for a parameter's value: ``PATH``, ``INT``, ``NUMBER NUMBER``."""
    if param.metavar:
        return str(param.metavar)
    if isinstance(param, TyperArgument):
        return str(param.name).upper()
    if param.type_descriptor.choices:
        return "NAME"
    kind = param.type_descriptor.annotation
    return " ".join(VALUES.get(one, "TEXT") for one in get_args(kind) or (kind,))


def one_of(param: Any) -> str:
    """The values that a parameter may have, where they are few."""
    choices = param.type_descriptor.choices
    return f"one of {', '.join(map(str, choices))}" if choices else ""


def range_of(param: Any, name: str) -> str:
    """The range that typer holds a parameter to, of a value of that name."""
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is None:
        return "" if high is None else f"{name} <= {high}"
    return f"{name} >= {low}" if high is None else f"{low} <= {name} <= {high}"


def _section(heading: str, lines: Sequence[Text]) -> Iterator[Text]:
    if lines:
        yield Text(f"\n{heading}:", style="bold yellow")
        yield from lines


def _panels(context: Any) -> dict[str, list[Any]]:
    """The parameters under their headings: arguments first, and what all commands have last."""
    panels: dict[str, list[Any]] = {"Arguments": []}
    own, general = dict[str, list[Any]](), dict[str, list[Any]]()
    for param in context.command.get_params(context):
        if param.hidden:
            continue
        heading = param.rich_help_panel
        is_argument = isinstance(param, TyperArgument)
        into = panels if is_argument else own if heading else general
        into.setdefault(heading or ("Arguments" if is_argument else OPTIONS), []).append(param)
    return {**panels, **own, **general}


def _commands(context: Any, width: int) -> tuple[str, list[Text]]:
    command = context.command
    if not hasattr(command, "list_commands"):
        return "", []
    found = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    column = max(len(name) for name, _ in found) + 4
    lines = [
        _entry(Text(name, style="bold cyan"), _first_line(one.help), width, column)
        for name, one in found
    ]
    return f"{command.noun.capitalize()}s", lines


def _first_line(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


def _name(param: Any) -> Text:
    """How a parameter is typed: ``-o, --out PATH``, ``--attn-only / --no-attn-only``."""
    if isinstance(param, TyperArgument):
        return Text(value_name(param), style="bold cyan")
    names = ", ".join(sorted(param.opts, key=len))
    off = "".join(f" / {name}" for name in param.secondary_opts)
    value = "" if param.is_flag else f" {value_name(param)}"
    return Text.assemble((names + off, "bold cyan"), value)


def _told(param: Any) -> str:
    """What a parameter is, the values that it takes, and its default."""
    facts = [one_of(param), range_of(param, "x"), _default(param)]
    shown = "; ".join(fact for fact in facts if fact)
    return " ".join([*(param.help or "").split(), *([f"[{shown}]"] if shown else [])])


def _default(param: Any) -> str:
    """The default, unless the text says what is done where the option is left out."""
    if param.required:
        return "required"
    if isinstance(param.show_default, str):
        return f"default:{STAY}{param.show_default}"
    default = param.default
    if getattr(param, "is_flag", False):
        names = param.opts if default else param.secondary_opts
        return f"default:{STAY}{names[0]}" if param.secondary_opts else ""
    if default is None:
        return "" if "left out" in (param.help or "") else f"default:{STAY}none"
    return f"default:{STAY}{' '.join(map(str, default)) if isinstance(default, tuple) else default}"


def _entry(name: Text, text: str, width: int, column: int = NAME_COLUMN) -> Text:
    """A name with its text: beside it, or below where it is long or the terminal is narrow."""
    indent = column if width >= TWO_COLUMNS else INDENT
    lines = textwrap.wrap(text, max(width - indent, 20), break_on_hyphens=False)
    lines = [line.replace(STAY, " ") for line in lines]
    entry = Text("  ") + name
    if lines and len(entry) + 2 <= indent:
        entry.append(" " * (indent - len(entry)) + lines.pop(0))
    for line in lines:
        entry.append("\n" + " " * indent + line)
    return entry
