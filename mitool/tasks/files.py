"""Tasks of files of one's own: ``mytask.py``, or ``mytask.py:MyTask`` where there are several.

Such a file is code, and is run where a user names it and nowhere else: what is trained on its task
records its path and what it holds, as a digest.
"""

import contextlib
import hashlib
import os
import re
import sys
import traceback
from dataclasses import dataclass
from importlib.abc import ExecutionLoader
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, module_from_spec
from pathlib import Path
from types import ModuleType

from mitool.core.config import nearest
from mitool.core.errors import InputError, MitoolError, UsageError, plain, quoted, said
from mitool.tasks.base import Task
from mitool.tasks.whole import whole_task

REFERENCE = re.compile(r"(?s)(.+\.py)(?::(\w*))?")

Digest = str
"""SHA-256 of what a file holds, in hexadecimal digits."""


@dataclass(frozen=True)
class TaskFile:
    """Where a task was read from.

    Attributes:
        reference: the file and the class, as a user names them: ``mytask.py:MyTask``.
        sha256: of what the file holds.
    """

    reference: str
    sha256: Digest


_READ: dict[type[Task], TaskFile] = {}
"""What was read from files that were named."""


def is_reference(text: str) -> bool:
    """Whether a text names a Python file, and no installed task."""
    return REFERENCE.fullmatch(text) is not None


def task_in_file(reference: str) -> type[Task]:
    """The task of a file, which is run.

    Args:
        reference: the file, such as ``mytask.py``; with several tasks ``mytask.py:MyTask``.

    Raises:
        InputError: the file is missing, fails when it is run, or has no whole task.
        UsageError: it has several tasks and none is named, or none of that name.
    """
    match = REFERENCE.fullmatch(reference)
    assert match is not None, "a reference to a file"
    path, named = Path(match[1]), match[2]
    _require_utf8(reference)
    module, sha256 = _module_of(path)
    tasks = {
        name: found
        for name, found in vars(module).items()
        if isinstance(found, type)
        and issubclass(found, Task)
        and (found.__module__, found.__name__) == (module.__name__, name)
    }
    name = named or _only(path, tasks)
    if name not in tasks:
        hint = nearest(name, tasks) if tasks else "it has no subclass of mitool.Task"
        raise UsageError(f"{path}: expected a task {quoted(name)}, found none; {hint}")
    found = whole_task(tasks[name], f"{path}, {name}", InputError)
    _READ.setdefault(found, TaskFile(f"{match[1]}:{name}", sha256))
    return found


def file_of(task: type[Task]) -> TaskFile | None:
    """Where a task was read from that is no part of mitool: the file that was named, or that of
    its module as it is now; None where there is none, as of what was typed into a notebook or is
    made by a function.
    """
    if task in _READ or task.__module__.partition(".")[0] == "mitool":
        return _READ.get(task)
    path = getattr(sys.modules.get(task.__module__), "__file__", None)
    if path is None or not is_reference(f"{path}:{task.__qualname__}"):
        return None
    with contextlib.suppress(OSError):
        near = os.path.relpath(path)
        shown = path if near.startswith(os.pardir) else near
        sha256 = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return TaskFile(f"{shown}:{task.__qualname__}", sha256)
    return None


def _require_utf8(reference: str) -> None:
    """Check that a checkpoint can record where its task lies.

    Raises:
        UsageError: it cannot.
    """
    try:
        reference.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{plain(reference)}: expected a path in UTF-8; rename it") from None


def _only(path: Path, tasks: dict[str, type[Task]]) -> str:
    """The one task that has all its members; the others are what tasks of the file share."""
    names = [name for name, found in tasks.items() if not getattr(found, "__abstractmethods__", ())]
    names = names or list(tasks)
    if not names:
        raise InputError(f"{path}: expected a task, a subclass of mitool.Task, found none; {SEE}")
    if len(names) > 1:
        raise UsageError(
            f"{path}: expected one task, found {', '.join(names)}; name one of them, such as "
            f"{path}:{names[0]}"
        )
    return names[0]


SEE = "docs/extending.md shows one"


def _module_of(path: Path) -> tuple[ModuleType, Digest]:
    """What a file defines, run once for what it holds, and the digest of that.

    What it prints goes to stderr: stdout is for results.
    """
    content = _content(path)
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"mitool_task_{hashlib.sha256(f'{path.resolve()}|{sha256}'.encode()).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name], sha256
    loader = _Held(path, content)
    module = module_from_spec(ModuleSpec(name, loader, origin=str(path)))
    sys.modules[name] = module  # where dataclasses look up what annotations name
    try:
        with contextlib.redirect_stdout(sys.stderr):
            loader.exec_module(module)
    except (Exception, SystemExit) as failure:
        del sys.modules[name]
        raise InputError(
            f"{path}{_line(path, failure)}: does not run: {_told(failure)}"
        ) from failure
    except BaseException:
        del sys.modules[name]
        raise
    return module, sha256


class _Held(ExecutionLoader):
    """Runs what was read of a file, which may be another by now."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self.content = path, content

    def get_filename(self, fullname: str) -> str:
        return str(self.path)

    def get_source(self, fullname: str) -> str:
        return decode_source(self.content)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a Python file with a task") from None
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or failure
        raise InputError(f"{path}: cannot be read: {reason}") from None


def _line(path: Path, failure: BaseException) -> str:
    """Where in the file it fails."""
    frames = traceback.extract_tb(failure.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    line = failure.lineno if isinstance(failure, SyntaxError) else next(reversed(lines), None)
    return "" if line is None else f", line {line}"


def _told(failure: BaseException) -> str:
    """The last line of its traceback."""
    if isinstance(failure, MitoolError):
        return said(failure)
    if isinstance(failure, SyntaxError):
        return f"{type(failure).__name__}: {failure.msg}"
    return f"{type(failure).__name__}: {said(failure)}" if str(failure) else type(failure).__name__
