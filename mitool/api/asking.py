"""What is asked for by keywords that many calls have."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from mitool.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from mitool.actions.request import Request
    from mitool.pairs.files import PairTexts


def request_of(
    command: str,
    again: str,
    *,
    out: str | PathLike[str] | None,
    resume: bool = False,
    overwrite: bool = False,
    formats: str | Sequence[str] | None = None,
    progress: bool = False,
) -> "Request":
    """Where a result goes, what as, and who is told how it comes along.

    Args:
        formats: of the report; None where there is none.

    Raises:
        UsageError: one of the formats is unknown.
        BrowserError: images are asked for, and nothing is there to draw them.
    """
    from mitool.actions.request import Request
    from mitool.report import Formats

    return Request(
        command=command,
        again=again,
        formats=None if formats is None else Formats.parse(formats),
        console=console_if(progress),
        out=path_if(out),
        resume=resume,
        overwrite=overwrite,
    )


def computed_on(
    device: str = "auto",
    dtype: str = "float32",
    threads: int | None = None,
    deterministic: bool = False,
) -> dict[str, object]:
    """Where a call is to compute, as keywords of it; what it is by default is None or False."""
    return {
        "device": None if device == "auto" else str(device),
        "dtype": None if dtype == "float32" else dtype,
        "threads": threads,
        "deterministic": deterministic,
    }


def console_if(progress: bool) -> "Console | None":
    """The console of progress, where it is to be shown."""
    from mitool.console.terminal import stderr

    return stderr() if progress else None


def path_if(given: str | PathLike[str] | None) -> Path | None:
    """A path, where one is given.

    Raises:
        UsageError: it is empty, or no path.
    """
    if given is None:
        return None
    if not isinstance(given, str | PathLike) or given == "":
        raise UsageError(f"expected a path, found {given!r}")
    return Path(given)


def pairs_if(
    given: "str | PathLike[str] | Sequence[PairTexts] | None",
) -> "Path | Sequence[PairTexts] | None":
    """Pairs of clean and corrupted texts, or a file of them, where they are given.

    Raises:
        UsageError: they are neither.
    """
    from mitool.pairs.files import PairTexts

    if not isinstance(given, Sequence) or isinstance(given, str):
        return path_if(given)
    if others := [pair for pair in given if not isinstance(pair, PairTexts)]:
        raise UsageError(
            "pairs: expected a file of pairs, or what mitool.pairs.files.read_pairs reads of one, "
            f"found {others[0]!r}"
        )
    return given


def listed(name: str, given: str | Sequence[str]) -> tuple[str, ...]:
    """Several texts, or one.

    Raises:
        UsageError: they are none.
    """
    texts = (given,) if isinstance(given, str) else tuple(given)
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(f"{name}: expected texts, found {text!r}")
    return texts
