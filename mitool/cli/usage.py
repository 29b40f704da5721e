"""What a command line that cannot be read is answered with: expected, found, and the nearest."""

from typing import Any

from typer.core import TyperArgument

from mitool.cli.examples import examples_of
from mitool.cli.help_page import one_of, range_of, usage, value_name
from mitool.core.config import closest, did_you_mean
from mitool.core.errors import MOST_SHOWN, quoted

KINDS = {"int": "a whole number", "float": "a number"}
"""What is expected, by the first word of pydantic's name of the problem."""


def explained(failure: Any, context: Any) -> str:
    """What is wrong with a command line, in mitool's own words.

    Args:
        failure: what typer raises of it; told apart by what it has, as its classes are not public.
        context: typer's, of the command that could not be read.
    """
    if hasattr(failure, "possibilities"):
        return _no_option(failure.option_name, context)
    if hasattr(failure, "option_name"):
        return _wrong_count(failure.option_name, context)
    if hasattr(failure, "param_type"):
        return _missing(failure.param, context)
    if getattr(failure, "param", None) is not None and failure.__cause__ is not None:
        return _wrong_value(failure.__cause__.errors(include_url=False)[0], failure.param)
    return str(failure.format_message())


def too_much(words: list[str], context: Any) -> str:
    """That there are more words than a command takes."""
    meant = f"did you mean '--{words[0]}'? " if f"--{words[0]}" in _names(context) else ""
    found = " ".join(words)
    return f"expected {usage(context)}, found {quoted(found)} as well; {meant}{_says_more(context)}"


def no_command(name: str, context: Any) -> str:
    """That a group has no such member, with the one that is meant, of this group or of another."""
    own, elsewhere = context.command.list_commands(context), _everywhere(context.find_root())
    near = None if name in elsewhere else closest(name, own)
    if near is None and (other := closest(name, elsewhere)):
        near = elsewhere[other]
    meant = f"did you mean {near!r}? " if near else ""
    return f"no {context.command.noun} named {quoted(name)}: {meant}known: {', '.join(own)}"


def _everywhere(top: Any) -> dict[str, str]:
    """How each command is typed, by the last word of it; those at the top first."""
    found: dict[str, str] = {}
    groups = []
    for name in top.command.list_commands(top):
        found[name] = f"{top.command_path} {name}"
        groups.append(top.command.get_command(top, name))
    for group in groups:
        for name in group.list_commands(top) if hasattr(group, "list_commands") else ():
            found.setdefault(name, f"{top.command_path} {group.name} {name}")
    return found


def _no_option(name: str, context: Any) -> str:
    # without dashes, which would make any two names alike
    near = closest(name.lstrip("-"), [known.lstrip("-") for known in _names(context)])
    hint = f"did you mean '--{near}'? " if near else ""
    if not name.startswith("--"):
        hint = "long names have two dashes; "
    elif not hint and hasattr(context.command, "list_commands"):
        hint = "a command's options follow its name; "
    shown = quoted(name) if len(name) > MOST_SHOWN else name
    return f"no option {shown}: {hint}{_says_more(context)}"


def _wrong_count(name: str, context: Any) -> str:
    (option,) = (p for p in context.command.get_params(context) if name in _spelled(p))
    if option.is_flag:
        return f"{name}: expected no value, found one; leave it out"
    return f"{name}: expected {value_name(option)}, found {'fewer' if option.nargs > 1 else 'none'}"


def _missing(param: Any, context: Any) -> str:
    examples = examples_of(context.command_path.partition(" ")[2])
    such = f"; such as: {examples[0]}" if examples else ""
    about = str(param.help or "").rstrip(".")
    return f"expected {_label(param)}{f' ({about})' if about else ''}, found none{such}"


def _wrong_value(problem: dict[str, Any], param: Any) -> str:
    """What a value should be; ``problem`` is pydantic's."""
    kind, found = problem["type"].partition("_")[0], problem["input"]
    expected = KINDS.get(kind) or one_of(param) or range_of(param, param.name)
    told = f"{_label(param)}: expected {expected or value_name(param)}, found {quoted(str(found))}"
    hint = did_you_mean(str(found), map(str, param.type_descriptor.choices or ()))
    return f"{told}; {hint.rstrip()}" if hint else told


def _label(param: Any) -> str:
    return value_name(param) if isinstance(param, TyperArgument) else max(param.opts, key=len)


def _spelled(param: Any) -> list[str]:
    return [*param.opts, *param.secondary_opts]


def _names(context: Any) -> list[str]:
    """The options of the context's command."""
    return [name for param in context.command.get_params(context) for name in _spelled(param)]


def _says_more(context: Any) -> str:
    return f"{context.command_path} --help says what there is"
