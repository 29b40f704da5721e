"""What models learn: one family a file, found by name.

A module in this package that defines a ``Task`` named like its file is a built-in task; others
come from installed packages through the entry-point group ``mitool.tasks``.
"""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from mitool.config import nearest
from mitool.errors import MitoolError, UsageError
from mitool.tasks.base import Examples, Pairs, Split, Task

__all__ = ["ENTRY_POINTS", "Examples", "Pairs", "Split", "Task", "get", "names"]

ENTRY_POINTS = "mitool.tasks"


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
        raise error(f"no task named {name!r}: {nearest(name, names())}")
    return _load(plugin)


@cache
def _builtin_modules() -> dict[str, str]:
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return {name.replace("_", "-"): f"{__name__}.{name}" for name in modules if name != "base"}


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
    try:
        found = plugin.load()
    except (ImportError, AttributeError) as failure:
        raise UsageError(
            f"task {plugin.name!r} from {plugin.value} does not load: {failure}"
        ) from failure
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise UsageError(
            f"{plugin.value}: expected a subclass of mitool.tasks.Task, found {found!r}"
        )
    return found
