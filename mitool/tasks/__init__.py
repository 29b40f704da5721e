"""What models learn: one family a file, found by name.

A module in this package that defines a ``Task`` named like its file is a built-in task; others
come from installed packages through the entry-point group ``mitool.tasks``, or from a file that a
user names: see ``mitool.tasks.files``.
"""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mitool.core.config import as_dict, nearest
from mitool.core.errors import InputError, MitoolError, UsageError, quoted, said
from mitool.tasks.base import NO_ANSWER, Examples, Pairs, Split, Task
from mitool.tasks.files import TaskFile, file_of, is_reference, task_in_file
from mitool.tasks.whole import whole_task

__all__ = [
    "ENTRY_POINTS",
    "NO_ANSWER",
    "Examples",
    "Pairs",
    "Split",
    "Task",
    "TaskFile",
    "get",
    "is_reference",
    "names",
    "origin_of",
    "record_of",
]

ENTRY_POINTS = "mitool.tasks"
SHARED = ("apart", "base", "files", "lists", "operation", "whole")
"""The modules here that hold what tasks share, and no task."""


def names() -> list[str]:
    """The names of all tasks, built in and installed, without loading any."""
    return sorted([*_builtin_modules(), *_plugins()])


def get(name: str) -> type[Task]:
    """The task family of that name, or of a file that a user names: ``mytask.py:MyTask``.

    Raises:
        UsageError: there is none (the message names the nearest), its plugin does not load, or the
            file has several.
        InputError: the file is missing, fails when it is run, or has no whole task of a name of its
            own.
    """
    if not is_reference(name):
        return installed(name)
    found = task_in_file(name)
    if found.name in names():
        raise InputError(
            f"{name}: its task has the name {quoted(found.name)}, which is that of an installed "
            "one; give it another"
        )
    return found


@cache
def installed(name: str, error: type[MitoolError] = UsageError) -> type[Task]:
    """The task family of that name, built in or of a plugin.

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
def origin_of(task: type[Task]) -> TaskFile | None:
    """Where a task was read from, as it was when that was first asked; None of one that is
    installed, or of no file.
    """
    if task.name in names() and installed(task.name) is task:
        return None
    return file_of(task)


def record_of(task: Task) -> dict[str, Any]:
    """A task as a checkpoint records it: its name, its parameters, and where it was read from if it
    is not installed.
    """
    origin = origin_of(type(task))
    file = {} if origin is None else {"file": origin.reference, "file_sha256": origin.sha256}
    return {"name": task.name, "parameters": as_dict(task), **file}


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
    task = whole_task(found, where, UsageError)
    if task.name != plugin.name:
        raise UsageError(f"{where}: expected a task of that name, found {task.name!r}")
    return task
