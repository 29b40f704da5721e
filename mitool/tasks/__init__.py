"""What models learn: one family a file, found by name.

A module in this package that defines a ``Task`` named like its file is a built-in task; others
come from installed packages through the entry-point group ``mitool.tasks``.
"""

import importlib
import pkgutil
from dataclasses import MISSING, fields
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from mitool.config import nearest
from mitool.errors import MitoolError, UsageError, quoted, said
from mitool.tasks.base import NO_ANSWER, Examples, Pairs, Split, Task

__all__ = [
    "ENTRY_POINTS",
    "NO_ANSWER",
    "Examples",
    "Pairs",
    "Split",
    "Task",
    "get",
    "names",
]

ENTRY_POINTS = "mitool.tasks"
REQUIRED = ("name", "summary", "sources", "model", "training")
"""What a task says of itself, beside its abstract members."""

SHARED = ("apart", "base", "lists", "operation")
"""The modules here that hold what tasks share, and no task."""


def names() -> list[str]:
    """The names of all tasks, built in and installed, without loading any."""
    return sorted([*_builtin_modules(), *_plugins()])


@cache
def get(name: str, error: type[MitoolError] = UsageError) -> type[Task]:
    """The task family of that name.

    Raises:
        error: there is none (the message names the nearest), or its plugin does not load.
    """
    module = _builtin_modules().get(name)
    if module:
        return _task_in(importlib.import_module(module), name)
    plugin = _plugins().get(name)
    if plugin is None:
        raise error(f"no task named {quoted(name)}: {nearest(name, names())}")
    return _load(plugin)


@cache
def _builtin_modules() -> dict[str, str]:
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): f"{__name__}.{name}" for name in modules if name not in SHARED}


def _plugins() -> dict[str, EntryPoint]:
    plugins: dict[str, EntryPoint] = {}
    for plugin in entry_points(group=ENTRY_POINTS):
        if plugin.name in plugins or plugin.name in _builtin_modules():
            raise UsageError(
                f"two tasks are named {plugin.name!r}, one of them from {plugin.value}: "
                "rename or uninstall one"
            )
        plugins[plugin.name] = plugin
    return plugins


def _task_in(module: object, name: str) -> type[Task]:
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Task) and vars(found).get("name") == name:
            return found
    raise UsageError(f"{module!r} defines no Task named {name!r}")


def _load(plugin: EntryPoint) -> type[Task]:
    where = f"task {plugin.name!r} from {plugin.value}"
    try:
        found = plugin.load()
    except Exception as failure:  # whatever another's module raises as it loads
        reason = f"{type(failure).__name__}: {said(failure)}"
        raise UsageError(f"{where} does not load: {reason}") from failure
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise UsageError(
            f"{where}: expected a subclass of mitool.tasks.Task, found {quoted(repr(found))}"
        )
    missing = [name for name in REQUIRED if not hasattr(found, name)]
    if missing or getattr(found, "__abstractmethods__", None):
        missing += sorted(getattr(found, "__abstractmethods__", ()))
        raise UsageError(f"{where}: expected a whole task, found none of {', '.join(missing)}")
    if found.name != plugin.name:
        raise UsageError(f"{where}: expected a task of that name, found {found.name!r}")
    if required := [f.name for f in fields(found) if f.default is MISSING]:
        raise UsageError(f"{where}: expected a default for every field, found none for {required}")
    return found
