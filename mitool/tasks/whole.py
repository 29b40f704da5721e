"""Whether what a plugin or a file defines is a whole task."""

from dataclasses import MISSING, fields

from mitool.core.errors import MitoolError, quoted
from mitool.tasks.base import Task

REQUIRED = ("name", "summary", "sources", "model", "training")
"""What a task says of itself, beside its abstract members."""


def whole_task(found: object, where: str, error: type[MitoolError]) -> type[Task]:
    """``found``, which is a class that can be trained on.

    Args:
        where: what it is of, for messages.

    Raises:
        error: it is none: no subclass of ``Task``, no dataclass, or parts of it are missing.
    """
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise error(f"{where}: expected a subclass of mitool.Task, found {quoted(repr(found))}")
    missing = [name for name in REQUIRED if not hasattr(found, name)]
    if missing or getattr(found, "__abstractmethods__", None):
        missing += sorted(getattr(found, "__abstractmethods__", ()))
        raise error(f"{where}: expected a whole task, found none of {', '.join(missing)}")
    if "__dataclass_fields__" not in vars(found):
        raise error(
            f"{where}: expected a dataclass, whose fields are its parameters; put "
            "@dataclass(frozen=True, config=mitool.FROZEN) of pydantic.dataclasses before it"
        )
    if required := [field.name for field in fields(found) if field.default is MISSING]:
        raise error(f"{where}: expected a default for every field, found none for {required}")
    return found
