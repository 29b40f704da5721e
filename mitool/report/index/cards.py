"""What the index says of one result."""

import base64
import fnmatch
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from mitool.report.tables import Table, cell, claims_tables
from mitool.storage import layout
from mitool.storage.records import Record
from mitool.storage.staleness import outdated

MAIN_CLAIMS: Mapping[str, Sequence[str]] = {
    "train": (
        *("epochs", "train_loss", "test_loss", "train_accuracy", "test_accuracy"),
        *("memorised_at", "grokked_at"),
    ),
    "plant": ("circuit", "n_layers", "n_heads", "n_edges", "n_true_edges"),
    "sweep": ("points", "done", "failed"),
    "analyze attn": ("n_layers", "n_heads", "accuracy"),
    "analyze fourier": (
        *("accuracy_all", "key_frequencies_logits", "logit_variance_explained"),
        *("accuracy_only_key_frequencies", "accuracy_without_key_frequencies"),
        *("neurons_single_frequency_fraction", "formula_agreement"),
    ),
    "patch": (
        *("n_pairs", "metric", "clean_metric", "corrupted_metric"),
        *("top_site", "top_effect", "top_effect_ci", "top_p_value"),
    ),
    "analyze circuit": (
        *("n_pairs", "metric", "n_edges_total", "n_edges", "faithfulness", "faithfulness_ci"),
        *("completeness", "random_faithfulness"),
    ),
}
"""What is claimed first of all, by command; of other commands the first claims there are."""

MOST_CLAIMS = 8

MOST_BYTES = 1_000_000
"""Of an image that the index carries; a larger one is left to the report."""

PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Card:
    """A result, as the index shows it; all of it plain text but the links and the image.

    Attributes:
        command: the name of the command that gave it.
        place: its folder, within that of the run.
        report: link to its page, if it has one.
        image: its first figure, as a URL that holds the image itself.
        outdated: why it is out of date.
    """

    title: str
    summary: str
    command: str
    place: str
    report: str | None
    result: str
    claims: tuple[Table, ...]
    made: str
    command_line: str | None
    warnings: Sequence[str]
    outdated: str | None
    image: str | None = None
    image_name: str = ""


def card_of(record: Record, root: Path, page: Path, *, whole: bool = True) -> Card:
    """A result within the folder ``root``.

    Args:
        page: the folder that the index is in, from which links lead.
        whole: with its image and claims.
    """
    image = _first_image(record) if whole else None
    return Card(
        title=record.title or _title(record),
        summary=record.summary or "",
        command=record.command,
        place=_within(root, record.folder),
        report=_link(page, record.folder / layout.REPORT),
        result=_link(page, record.folder / layout.RESULT) or "",
        claims=claims_tables(_main_claims(record)) if whole else (),
        made=_made(record),
        command_line=record.command_line,
        warnings=record.warnings,
        outdated=outdated(record, root),
        image=_data_url(image) if image else None,
        image_name=image.stem.replace("_", " ") if image else "",
    )


def of_command(record: Record, command: str) -> bool:
    """Whether a command, or one of the group of that name, gave the result."""
    return f"{record.command} ".startswith(f"{command} ")


def _title(record: Record) -> str:
    """Of a result without a report."""
    task = record.subject.get("task")
    name = task.get("name") if isinstance(task, Mapping) else None
    is_told = not isinstance(name, str) or name in record.command.split()
    words = record.command if is_told else f"{record.command}: {name}"
    return words[0].upper() + words[1:]


def _main_claims(record: Record) -> dict[str, Any]:
    known = (names for command, names in MAIN_CLAIMS.items() if of_command(record, command))
    wanted = [n for pattern in next(known, ()) for n in fnmatch.filter(record.claims, pattern)]
    if not wanted:
        wanted = [name for name in record.claims if "." not in name]
    return {name: _shown(record.claims[name]) for name in wanted[:MOST_CLAIMS]}


def _shown(value: object) -> Any:
    """A claim, or what it is in words where another program put something else there."""
    return value if not isinstance(value, Mapping) else cell(value, "undefined").text


def _made(record: Record) -> str:
    """When, by what and in how long."""
    parts = [f"mitool {record.version}"]
    if record.finished:
        try:
            when = datetime.fromisoformat(record.finished)
        except ValueError:
            parts.append(record.finished)
        else:
            parts.append(f"{when:%Y-%m-%d %H:%M} {when.tzname() or ''}".strip())
    if record.seconds is not None:
        parts.append(f"{record.seconds:z,.0f} s" if record.seconds >= 1 else "under 1 s")
    return ", ".join(parts)


def _first_image(record: Record) -> Path | None:
    """The first figure of its report that is a PNG and not too large."""
    images = (record.folder / layout.FIGURES / name for name in record.artifacts)
    for path in images:
        if path.suffix != ".png":
            continue
        try:
            with path.open("rb") as file:
                is_image = file.read(len(PNG)) == PNG and path.stat().st_size <= MOST_BYTES
        except (OSError, ValueError):
            continue
        if is_image:
            return path
    return None


def _data_url(image: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(image.read_bytes()).decode()}"


def _within(root: Path, folder: Path) -> str:
    place = PurePath(os.path.relpath(folder, root)).as_posix()
    return "" if place == "." else place


def _link(page: Path, path: Path) -> str | None:
    """A link from a page's folder to a file, if it is there."""
    if not path.is_file():
        return None
    return quote(os.fsencode(PurePath(os.path.relpath(path, page)).as_posix()))
