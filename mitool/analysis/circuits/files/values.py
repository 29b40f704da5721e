"""Values of a JSON document, checked."""

import math
from typing import Any

from mitool.analysis.circuits.files.stored import named
from mitool.core.errors import InputError


def object_of(where: str, value: Any) -> dict[str, Any]:
    """An object.

    Raises:
        InputError: it is something else; as of all of these.
    """
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected an object, found {named(value)}")
    return value


def list_of(where: str, key: str, value: Any, length: int) -> list[Any]:
    """A list of so many."""
    if not isinstance(value, list) or len(value) != length:
        found = f"{len(value)}" if isinstance(value, list) else named(value)
        raise InputError(f"{where}: expected a list of {length} as {key!r}, found {found}")
    return value


def flag_of(where: str, key: str, value: Any) -> bool:
    """Whether something is in, which 0 and 1 say too."""
    if not isinstance(value, int) or value not in (0, 1):
        raise InputError(f"{where}: expected true or false as {key!r}, found {named(value)}")
    return bool(value)


def score_of(where: str, key: str, value: Any) -> float:
    """A score; 0 where there is none."""
    if value is None:
        return 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found):
            return found
    raise InputError(f"{where}: expected a finite number as {key!r}, found {named(value)}")
