"""Options made from the fields of settings dataclasses: name, type, default, range and help."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Annotated, Any, get_type_hints

import typer

from mitool.core.config import build, field_hints, help_text
from mitool.core.errors import UsageError


class SettingsOption(inspect.Parameter):
    """A parameter, annotated for Typer, of a field of the settings ``cls``."""

    cls: type


def options(
    cls: type, defaults: object, panel: str, *, left_out: str | None = None
) -> list[SettingsOption]:
    """A keyword parameter, annotated for Typer, for each field of ``cls``.

    Args:
        left_out: how a default is shown, such as ``{}, or PRESET's``, where an option that is left
            out is to be None; otherwise it is its default.
    """
    hints, plain = field_hints(cls), get_type_hints(cls)
    made = []
    for field in fields(cls):
        default = getattr(defaults, field.name)
        declared: Any = typer.Option(
            *([option_name(field.name)] if len(field.name) == 1 else []),
            help=f"{help_text(field, hints[field.name])}.",
            show_default=left_out.format(default) if left_out and default is not None else True,
            rich_help_panel=panel,
        )
        kind = plain[field.name] | None if left_out else plain[field.name]
        option = SettingsOption(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if left_out else default,
            annotation=Annotated[kind, declared],
        )
        option.cls = cls
        made.append(option)
    return made


def option_name(field_name: str) -> str:
    """``--log2-batch-size``; a name of one letter keeps its case, which Typer would not."""
    return f"--{field_name.replace('_', '-')}"


def take_options(
    function: Callable[..., None],
    made: Sequence[SettingsOption],
    owner: str,
    settled: Callable[[Mapping[str, Any]], object] | None = None,
) -> None:
    """Put the parameters ``made`` in the place of the function's ``**settings``, after ``output``,
    and note on it the classes that they are of (``settings_of``).

    Args:
        settled: makes settings of what is stated, where that is not just its class.

    Raises:
        UsageError: two options would have one name.
    """
    output, *own = inspect.signature(function).parameters.values()
    named = [p for p in own if p.kind is not inspect.Parameter.VAR_KEYWORD]
    parameters = [*made, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in named)]
    require_distinct(parameters, owner)
    described: Any = function  # a type checker knows no signature to set on a function
    described.__signature__ = inspect.Signature([output, *parameters])
    classes = dict.fromkeys(option.cls for option in made)
    described.settings = {cls: settled or partial(build, cls) for cls in classes}


def settings_of(function: Callable[..., None], values: dict[str, Any]) -> list[object]:
    """The settings that a command would make of the values of its options, of which those that
    are left out may be None.

    Raises:
        UsageError: a value is out of its range.
    """
    described: Any = function
    stated = {name: value for name, value in values.items() if value is not None}
    return [
        settled({name: stated[name] for name in chosen(cls, values) if name in stated})
        for cls, settled in described.settings.items()
    ]


def takes_settings(cls: type, panel: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put the fields of ``cls``, with their defaults, in the place of ``**settings``."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        take_options(function, options(cls, cls(), panel), cls.__name__)
        return function

    return decorate


def chosen(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """The values of the fields of ``cls``."""
    return {field.name: values[field.name] for field in fields(cls)}


def require_distinct(parameters: Iterable[inspect.Parameter], owner: str) -> None:
    """Check that no two options have one name.

    Raises:
        UsageError: two have.
    """
    seen: set[str] = set()
    for parameter in parameters:
        if parameter.name in seen:
            raise UsageError(
                f"{owner}: its parameter {parameter.name!r} has the name of another option; "
                "rename it"
            )
        seen.add(parameter.name)
