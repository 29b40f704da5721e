"""One page that gathers all reports of a run, in the order of the story that they tell."""

from dataclasses import dataclass
from pathlib import Path

from mitool.core.errors import InputError, UsageError
from mitool.core.result import Claim, Result
from mitool.core.version import __version__
from mitool.report.index.story import Told, tell
from mitool.report.rendering import rendered, source
from mitool.storage import atomic, layout
from mitool.storage.records import Found, find_records


@dataclass(frozen=True)
class IndexResult(Result):
    """What an index gathers.

    Attributes:
        folder: whose reports they are.
        page: the folder that the index is written into.
        chapters: of the story.
    """

    folder: Path
    page: Path
    chapters: tuple[Told, ...]


def gather(folder: Path, out: Path | None = None) -> IndexResult:
    """The results in a folder and below it, as a story.

    Args:
        out: the folder that the index is to be written into; left out, the same one.

    Raises:
        InputError: it is no folder, or there are none.
    """
    found = find_records(folder)
    if not found.records:
        raise InputError(_nothing(folder, found))
    page = folder if out is None else out
    chapters = tell(found.records, folder, page)
    shown = [card for told in chapters for card in (*told.cards, *told.rows)]
    warnings = (
        *(f"{place}: the training has not ended; --resume goes on" for place in found.unfinished),
        *(f"left out: {what}" for what in found.unread),
    )
    claims: dict[str, Claim] = {
        "n_results": len(shown),
        "n_reports": sum(card.report is not None for card in shown),
        "n_outdated": sum(card.outdated is not None for card in shown),
        "n_unread": len(found.unread),
        "kinds": list(dict.fromkeys(_kind(card.command) for card in shown)),
        "missing": [told.missing for told in chapters if told.missing],
    }
    subject = {"run": str(folder)}
    return IndexResult(
        subject,
        {},
        claims,
        warnings=warnings,
        folder=folder,
        page=page,
        chapters=chapters,
    )


def render_index(result: IndexResult, command: str | None = None) -> str:
    """The page.

    Args:
        command: what to type to have it anew.
    """
    return rendered(
        "index.html.j2",
        own_style=source("index.css"),
        title=f"Reports of {_name(result.folder)}",
        result=result,
        command=command,
        version=__version__,
    )


def write_index(result: IndexResult, command: str | None = None) -> Path:
    """Write the page into its folder, in the place of an earlier one.

    Raises:
        UsageError: a page is there that mitool did not write.
        RunError: the folder cannot be written.
    """
    path = result.page / layout.INDEX
    if path.exists() and not layout.holds_index(result.page):
        raise UsageError(f"{path}: is there already, and is no index of mitool's; move it away")
    atomic.atomic_write(path, render_index(result, command))
    return path


def _name(folder: Path) -> str:
    return folder.resolve().name or str(folder)


def _kind(command: str) -> str:
    """A command without the task or experiment."""
    first, _, rest = command.partition(" ")
    return command if first == "analyze" and rest else first


def _nothing(folder: Path, found: Found) -> str:
    expected = f"{folder}: expected results of mitool ({layout.RESULT}) here or below"
    if found.unread:
        return f"{expected}, found none that can be read: {found.unread[0]}"
    if found.unfinished:
        return (
            f"{expected}, found a training that has not ended, {found.unfinished[0]}; go on with "
            "--resume"
        )
    return f"{expected}, found none; give the folder of a run, as mitool train leaves it"
