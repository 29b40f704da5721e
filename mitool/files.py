"""Files that are written whole or not at all, and files that grow line by line.

A file is written under a temporary name and renamed, so that a reader, or a run resumed after a
crash, sees it whole or not at all.
"""

import contextlib
import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mitool.errors import InputError, RunError


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


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON document, atomically."""
    atomic_write(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON document that mitool wrote.

    Raises:
        InputError: it is missing, damaged or no object.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as failure:
        raise InputError(f"{path}: expected a JSON document of mitool's: {failure}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(value).__name__}")
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
        InputError: any other line is no JSON object.
    """
    if not path.exists():
        return []
    lines = path.read_text(errors="replace").split("\n")[:-1]
    try:
        values = [json.loads(line) for line in lines]
    except ValueError:
        raise InputError(f"{path}: damaged: expected one JSON object a line") from None
    if not all(isinstance(value, dict) for value in values):
        raise InputError(f"{path}: damaged: expected one JSON object a line")
    return values


def write_lines(path: Path, values: Sequence[Mapping[str, Any]]) -> None:
    """Write a file that ``append_line`` can go on with, atomically."""
    atomic_write(path, "".join(json.dumps(value, allow_nan=False) + "\n" for value in values))


def cannot_write(path: Path, failure: OSError) -> str:
    reason = failure.strerror or str(failure)
    is_full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "make room or choose another --out" if is_full else "choose another --out"
    return f"{path}: cannot be written: {reason}; {remedy}"
