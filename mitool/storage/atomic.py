"""Files that are written whole or not at all, and files that grow line by line.

A file is written under a temporary name and renamed, so that a reader, or a run resumed after a
crash, sees it whole or not at all.
"""

import contextlib
import errno
import glob
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from mitool.core.errors import InputError, RunError, UsageError, said
from mitool.core.strict_json import kind, parsed

DOCUMENT = "expected a JSON document of mitool's"


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all, leaving what was there on failure.

    Raises:
        RunError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as failure:
        raise RunError(cannot_write(path, failure)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of writers of this file that were killed."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        writer = leftover.suffixes[-2].removeprefix(".")
        if writer.isdecimal() and not psutil.pid_exists(int(writer)):
            with contextlib.suppress(OSError):
                leftover.unlink()


def is_unicode(path: Path) -> bool:
    """Whether a path can be written as text: names of files are bytes, and may be any."""
    return str(path).isascii() or os.fsencode(path).decode(errors="ignore") == str(path)


def require_writable(folder: Path) -> None:
    """Check that files can be written into a folder, or into the one that it is to be made in.

    Raises:
        UsageError: they cannot.
    """
    if not is_unicode(folder):
        raise UsageError(f"{folder}: expected a path of Unicode letters; choose another --out")
    try:
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not existing.is_dir():
            raise UsageError(f"{folder}: expected a folder to write to, found the file {existing}")
    except OSError as failure:
        raise UsageError(cannot_write(folder, failure)) from None
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: the folder cannot be written; choose another --out")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON document, atomically."""
    atomic_write(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON document that mitool wrote.

    Raises:
        InputError: it is missing, damaged or no object.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise InputError(f"{path}: {DOCUMENT}, found a pipe or device")
        value = parsed(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None
    except RecursionError:
        raise InputError(f"{path}: {DOCUMENT}, found too many levels") from None
    except ValueError as failure:
        raise InputError(f"{path}: {DOCUMENT}; found: {said(failure)}") from failure
    if not isinstance(value, dict):
        raise InputError(f"{path}: {DOCUMENT}, an object, found {kind(value)}")
    return value


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Add one line of JSON to a file.

    Raises:
        RunError: the disk is full or the file cannot be written.
    """
    try:
        with path.open("a") as file:
            file.write(json.dumps(value, allow_nan=False) + "\n")
    except OSError as failure:
        raise RunError(cannot_write(path, failure)) from None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file that ``append_line`` grew; a last line cut short is left out.

    Raises:
        InputError: the file cannot be read, or any other line is no JSON object.
    """
    try:
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        values = [parsed(line) for line in lines]
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: damaged: expected one JSON object a line") from None
    if not all(isinstance(value, dict) for value in values):
        raise InputError(f"{path}: damaged: expected one JSON object a line")
    return values


def write_lines(path: Path, values: Sequence[Mapping[str, Any]]) -> None:
    """Write a file that ``append_line`` can go on with, atomically."""
    atomic_write(path, "".join(json.dumps(value, allow_nan=False) + "\n" for value in values))


def cannot_write(path: Path, failure: OSError) -> str:
    """What is said of a file or folder that the system refuses to write."""
    reason = failure.strerror or str(failure)
    is_full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "make room or choose another --out" if is_full else "choose another --out"
    return f"{path}: cannot be written: {reason}; {remedy}"
