"""Settings as keywords: types, bounds and help stand once, at the fields of their classes."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, ParamSpec, TypeVar, get_type_hints

from mitool.api.calls import in_words_of_python
from mitool.core.config import build, field_hints, help_text, nearest
from mitool.core.errors import UsageError
from mitool.settings.seeds import MOST_SEED

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")


class Preset:
    """The default of a keyword whose value depends on another argument."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    def __repr__(self) -> str:
        return f"<the {self._owner}'s>"


def takes(
    *classes: type, preset_by: str | None = None, more: str | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function one that is called from outside: its errors name keywords, and help and
    signature show the fields of ``classes`` in the place of ``**values``.

    Args:
        preset_by: what the defaults are of, where they are not the classes' own.
        more: what other keywords there are.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        own = inspect.signature(function).parameters.values()
        parameters = [p for p in own if p.kind is not inspect.Parameter.VAR_KEYWORD]
        default = Preset(preset_by) if preset_by else None
        parameters += [made for cls in classes for made in _parameters(cls, default)]
        names = {parameter.name for parameter in parameters}
        if more is not None:
            parameters.append(inspect.Parameter(more, inspect.Parameter.VAR_KEYWORD))

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            with in_words_of_python(names | kwargs.keys()):
                return function(*args, **kwargs)

        described: Any = call  # a type checker knows no signature to set on a function
        returns = inspect.signature(function).return_annotation
        described.__signature__ = inspect.Signature(parameters, return_annotation=returns)
        described.settings = classes
        call.__doc__ = "\n\n".join([inspect.getdoc(function) or "", *map(_described, classes)])
        return call

    return decorate


def settled(cls: type[S], given: S | None, values: Mapping[str, Any], own: Sequence[str]) -> S:
    """Settings, from an object and from what is stated of them by keywords.

    Args:
        own: keywords of the call that are no settings, for hints.

    Raises:
        UsageError: a keyword is none of these, or a value is out of its range.
    """
    if given is not None and not isinstance(given, cls):
        raise UsageError(f"settings: expected {cls.__name__}, found {given!r}")
    (stated,) = divided(values, [cls], own)
    return build(cls, (plain(given) if given is not None else {}) | stated)


def divided(
    values: Mapping[str, Any], classes: Sequence[type], own: Sequence[str]
) -> list[dict[str, Any]]:
    """The values by the classes that have fields of these names.

    Raises:
        UsageError: a name is of none; the message names the nearest.
    """
    names = [[field.name for field in fields(cls)] for cls in classes]
    known = [name for of_class in names for name in of_class]
    for name in values:
        if name not in known:
            raise UsageError(f"{name}: no such setting; {nearest(name, {*known, *own}, known)}")
    return [{name: values[name] for name in of_class if name in values} for of_class in names]


def plain(settings: object) -> dict[str, Any]:
    """The fields of settings and their values."""
    return {name: getattr(settings, name) for name in field_hints(type(settings))}


def own_keywords(function: Callable[..., object]) -> list[str]:
    """The keywords of a function that are no settings."""
    described: Any = function
    of_settings = {field.name for cls in described.settings for field in fields(cls)}
    parameters = inspect.signature(function).parameters
    return [name for name in parameters if name not in of_settings]


def required_seed(name: str, seed: int) -> int:
    """A seed that torch takes.

    Raises:
        UsageError: it is none.
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= seed <= MOST_SEED:
        raise UsageError(f"{name}: expected 0 <= {name} <= {MOST_SEED}, found {seed!r}")
    return int(seed)


def _parameters(cls: type, default: object) -> list[inspect.Parameter]:
    hints = get_type_hints(cls)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default if default is None else default,
            annotation=hints[field.name],
        )
        for field in fields(cls)
    ]


def _described(cls: type) -> str:
    """The fields of a class as a section of a docstring."""
    hints = field_hints(cls)
    lines = [f"    {field.name}: {help_text(field, hints[field.name])}." for field in fields(cls)]
    return "\n".join([f"{cls.__name__}:", *lines])
