"""What is asked for beside the settings, and what comes of it."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rich.console import Console

from mitool.core.result import Result
from mitool.core.version import __version__

if TYPE_CHECKING:
    from mitool.report import Formats, Report

Expect = Callable[[Collection[str]], object]
"""Told the names of the claims before there is work done for them."""

R = TypeVar("R", bound=Result)
R_co = TypeVar("R_co", bound=Result, covariant=True)


@dataclass(frozen=True)
class Request:
    """Where a result goes, what as, and who is told how it comes along.

    Attributes:
        command: its name on the command line, for the record.
        again: what to type to have the same again, for the report.
        formats: of the report; None where there is none.
        console: for progress and notes; None for neither.
        out: the folder; None for the one that suits.
        resume: go on with the run that the folder holds.
        overwrite: replace the run or result that the folder holds.
        started: when the work began, for the record.
    """

    command: str
    again: str
    formats: "Formats | None" = None
    console: Console | None = None
    out: Path | None = None
    resume: bool = False
    overwrite: bool = False
    started: float = field(default_factory=time.monotonic)

    def envelope(
        self,
        result: Result,
        artifacts: Sequence[Path],
        warnings: Sequence[str],
        report: "Report | None" = None,
    ) -> dict[str, Any]:
        """The JSON document of a result."""
        return envelope(self.command, self.again, self.started, result, artifacts, warnings, report)


@dataclass(frozen=True)
class Done(Generic[R_co]):
    """A result that is written.

    Attributes:
        envelope: its JSON document, which ``result.json`` holds.
    """

    result: R_co
    folder: Path
    envelope: Mapping[str, Any]


def envelope(
    command: str,
    again: str,
    started: float,
    result: Result,
    artifacts: Sequence[Path],
    warnings: Sequence[str],
    report: "Report | None" = None,
) -> dict[str, Any]:
    """The JSON document of a result.

    Args:
        again: what to type to have the same again.
        artifacts: the files made.
        warnings: the result's own, and those of its rendering.
        report: what was written of it for a reader.
    """
    heading = {"title": report.title, "summary": report.summary} if report else None
    return {
        "mitool": __version__,
        "command": command,
        "command_line": again,
        "subject": dict(result.subject),
        "config": dict(result.config),
        "claims": dict(result.claims),
        "report": heading,
        "artifacts": [str(path) for path in artifacts],
        "seconds": time.monotonic() - started,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "warnings": list(warnings),
    }
