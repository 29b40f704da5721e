"""Building frozen settings from untrusted values, and describing them.

Settings are pydantic dataclasses: the type, bounds and help text of a parameter stand once,
at its field, and serve the command line, the Python API and the files alike.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mitool.errors import MitoolError, UsageError

T = TypeVar("T")

FROZEN = ConfigDict(extra="forbid", allow_inf_nan=False)
"""The pydantic configuration that all settings share."""


def build(
    cls: type[T], values: Mapping[str, object], error: type[MitoolError] = UsageError
) -> T:
    """Make a ``cls`` from ``values``, or raise ``error`` naming each bad field and its range.

    Raises:
        error: a value is missing, unknown, of the wrong type or out of its range.
    """
    try:
        return TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as failure:
        raise error(describe(failure)) from None


def describe(failure: ValidationError) -> str:
    """One line for all that pydantic found wrong, in the words of the command line."""
    return "; ".join(_problem(dict(problem)) for problem in failure.errors(include_url=False))


def _problem(problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "value"
    found = repr(problem.get("input"))
    message = str(problem["msg"])
    if message.startswith("Value error, "):
        return message.removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]}, found {found[:80]}"


def as_dict(settings: object) -> dict[str, Any]:
    """The fields of a settings dataclass as plain JSON values."""
    return TypeAdapter(type(settings)).dump_python(settings, mode="json")  # type: ignore[no-any-return]


def non_defaults(settings: object, reference: object) -> dict[str, Any]:
    """The fields in which ``settings`` differs from ``reference``, in their order."""
    assert is_dataclass(settings)
    return {
        field.name: getattr(settings, field.name)
        for field in fields(settings)
        if getattr(settings, field.name) != getattr(reference, field.name)
    }


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the nearest known one, if any, and the list of all."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known)}"
