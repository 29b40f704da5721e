"""Results that lie in a folder and below it, by their ``result.json``."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitool.core.errors import InputError
from mitool.storage import atomic, layout

SKIPPED = {layout.TRAJECTORY, layout.FIGURES, layout.TENSORBOARD, layout.LOGS}
"""Folders of a run that hold no results."""


@dataclass(frozen=True)
class Record:
    """A result, as its ``result.json`` has it.

    Attributes:
        folder: where it lies.
        command: the name of the command that gave it, such as ``analyze fourier``.
        command_line: as typed; None in what an older mitool wrote, as are the next three.
        title: of its report, if it has one.
        summary: the finding, in one line.
        finished: when, in ISO 8601.
        artifacts: names of files, without their folders.
    """

    folder: Path
    command: str
    version: str
    subject: Mapping[str, Any]
    config: Mapping[str, Any]
    claims: Mapping[str, Any]
    artifacts: Sequence[str]
    warnings: Sequence[str]
    command_line: str | None
    title: str | None
    summary: str | None
    finished: str | None
    seconds: float | None

    @property
    def epoch(self) -> int | None:
        """The epoch of the checkpoint that was studied, where there is one."""
        epoch = self.subject.get("epoch", self.subject.get("step"))
        return epoch if isinstance(epoch, int) else None


@dataclass(frozen=True)
class Found:
    """What lies in a folder and below it.

    Attributes:
        records: in the order of their folders, an outer one before those in it.
        unfinished: folders of runs that have no result yet.
        unread: for each ``result.json`` that is none of mitool's or is damaged, what it is.
    """

    records: tuple[Record, ...]
    unfinished: tuple[Path, ...]
    unread: tuple[str, ...]


def find_records(folder: Path) -> Found:
    """Read all results in a folder and below it.

    Raises:
        InputError: it is no folder.
    """
    if not folder.is_dir():
        what = "found a file" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: expected a folder with results of mitool: {what}")
    records, unfinished, unread = [], [], []
    for place, names in _folders(folder):
        if layout.RESULT in names:
            try:
                records.append(read_record(place))
            except InputError as error:
                unread.append(str(error))
        elif {layout.CONFIG, layout.RESUME} <= names:
            unfinished.append(place)
    return Found(tuple(records), tuple(unfinished), tuple(unread))


def read_record(folder: Path) -> Record:
    """Read the ``result.json`` of a folder.

    Raises:
        InputError: it is damaged, or none of mitool's.
    """
    path = folder / layout.RESULT
    document = atomic.read_json(path)
    command = document.get("command")
    if "mitool" not in document or not (isinstance(command, str) and command.strip()):
        raise InputError(f"{path}: expected a result of mitool's, found other JSON")
    heading = _mapping(document.get("report"))
    seconds = document.get("seconds")
    return Record(
        folder=folder,
        command=command,
        version=str(document["mitool"]),
        subject=_mapping(document.get("subject")),
        config=_mapping(document.get("config")),
        claims=_mapping(document.get("claims")),
        artifacts=[re.split(r"[/\\]", name)[-1] for name in _texts(document.get("artifacts"))],
        warnings=_texts(document.get("warnings")),
        command_line=_text(document.get("command_line")),
        title=_text(heading.get("title")),
        summary=_text(heading.get("summary")),
        finished=_text(document.get("finished")),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
    )


def natural(path: Path) -> tuple[Any, ...]:
    """A key that sorts folders by the numbers in their names: ``p7`` before ``p53``."""
    parts = [re.split(r"(\d+)", part) for part in path.parts]
    return tuple(
        tuple((int(p), "") if p.isascii() and p.isdecimal() else (-1, p) for p in part)
        for part in parts
    )


def _folders(folder: Path) -> Iterator[tuple[Path, set[str]]]:
    """All folders with the names of their files, an outer one before those in it."""
    found = []
    for place, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if name not in SKIPPED and not name.startswith(".")]
        found.append((Path(place), set(names)))
    return iter(sorted(found, key=lambda one: natural(one[0])))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
