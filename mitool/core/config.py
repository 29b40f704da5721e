"""Building frozen settings from untrusted values, and describing them.

Settings are pydantic dataclasses: the type, bounds and help text of a parameter stand once,
at its field, and serve the command line, the Python API and the files alike.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import Field as DataclassField
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from mitool.core.errors import MOST_SHOWN, MitoolError, UsageError, first_few

T = TypeVar("T")

FROZEN = ConfigDict(extra="forbid", allow_inf_nan=False)
"""The pydantic configuration that all settings share."""


def build(cls: type[T], values: Mapping[str, object], error: type[MitoolError] = UsageError) -> T:
    """Make a ``cls`` from ``values``, or raise ``error`` naming each bad field and its range.

    Raises:
        error: a value is missing, unknown, of the wrong type or out of its range.
    """
    try:
        return TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as failure:
        raise error(describe(failure, cls)) from None


def as_dict(settings: object) -> dict[str, Any]:
    """The fields of a settings dataclass as plain JSON values."""
    return TypeAdapter(type(settings)).dump_python(settings, mode="json")


def non_defaults(settings: object, reference: object) -> dict[str, Any]:
    """The fields in which ``settings`` differs from ``reference``, in their order."""
    assert is_dataclass(settings)
    return {
        field.name: getattr(settings, field.name)
        for field in fields(settings)
        if getattr(settings, field.name) != getattr(reference, field.name)
    }


def help_text(field: DataclassField[Any], hint: object) -> str:
    """What a field is, with its range."""
    info = _field_info(hint)
    bounds = valid_range("x", hint) if get_origin(_bare(hint)) is not Literal else ""
    text = info.description if info and info.description else field.name
    return f"{text} ({bounds})" if bounds else text


def valid_range(name: str, hint: object) -> str:
    """The values that a field takes, such as ``0 < frac_train < 1`` or ``one of add, multiply``;
    empty where any value of its type will do.
    """
    bare = _bare(hint)
    if get_origin(bare) is Literal:
        return "one of " + ", ".join(map(str, get_args(bare)))
    info = _field_info(hint)
    low = high = ""
    for bound in info.metadata if info else ():
        match bound:
            case Ge(ge=value):
                low = f"{value} <= "
            case Gt(gt=value):
                low = f"{value} < "
            case Le(le=value):
                high = f" <= {value}"
            case Lt(lt=value):
                high = f" < {value}"
    if low and not high:
        return f"{name} {'>=' if '=' in low else '>'} {low.split()[0]}"
    return f"{low}{name}{high}" if low or high else ""


def field_hints(cls: type) -> dict[str, object]:
    """The annotation of each field of a settings dataclass."""
    assert is_dataclass(cls)
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in fields(cls)}


def describe(failure: ValidationError, cls: type) -> str:
    """One line for all that pydantic found wrong: expected and found, field by field, the first few
    of many.
    """
    hints = field_hints(cls)
    problems = [_problem(dict(problem), hints) for problem in failure.errors(include_url=False)]
    return first_few(problems, "; ")


def nearest(name: str, known: Iterable[str], shown: Iterable[str] | None = None) -> str:
    """A hint for an unknown name: the nearest known one, if any, and the list of all.

    Args:
        shown: the list, where it is to be a shorter one.
    """
    known = sorted(known)
    listed = ", ".join(known if shown is None else sorted(shown))
    return f"{did_you_mean(name, known)}known: {listed}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The question whether the nearest of the known names is meant; empty where none is near."""
    close = closest(name, known)
    return f"did you mean {close!r}? " if close else ""


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is nearest, capitals or not; None where none is near."""
    folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else None


def _problem(problem: dict[str, Any], hints: Mapping[str, object]) -> str:
    message = str(problem["msg"])
    where = [str(part)[:MOST_SHOWN] for part in problem["loc"]]
    if not where:
        return message.removeprefix("Value error, ")
    name, found = where[0], ascii(problem.get("input"))[:MOST_SHOWN]
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{name}: no such setting; {nearest(name, hints)}"
    if problem["type"] in ("missing", "missing_argument"):
        return f"{name}: missing"
    expected = valid_range(name, hints.get(name)) or message.removeprefix("Input should be ")
    if problem["type"].startswith("int_") and hints.get(name):
        expected = f"a whole number, {expected}" if "integer" not in expected else expected
    return f"{'.'.join(where)}: expected {expected}, found {found}"


def _field_info(hint: object) -> FieldInfo | None:
    return next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, FieldInfo)), None)


def _bare(hint: object) -> object:
    return get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
