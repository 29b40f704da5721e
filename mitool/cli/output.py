"""What a command prints: results to stdout, progress and notes to stderr, JSON on request."""

import io
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mitool import files, rundir
from mitool.cli.checks import Check, require
from mitool.errors import RunError
from mitool.result import Claim, Result
from mitool.version import __version__

LEAST_WIDTH = 14
"""Columns that a claim's value has on the narrowest terminal."""

MOST_LISTED = 24
"""Values of a list that are printed; JSON has all."""

PIPE_WIDTH = 200
"""Columns of what is printed to no terminal, so that its lines are not broken."""


@dataclass(frozen=True)
class Output:
    """The one way out of a command.

    Attributes:
        command: its name, as typed.
        as_json: print one JSON document instead of a table.
        quiet: leave out progress and notes.
        checks: conditions on the claims.
    """

    command: str
    as_json: bool = False
    quiet: bool = False
    checks: Sequence[Check] = ()
    started: float = field(default_factory=time.monotonic)

    @property
    def stdout(self) -> Console:
        return _console(sys.stdout)

    @property
    def stderr(self) -> Console:
        return _console(sys.stderr)

    def note(self, message: str) -> None:
        """Tell the user something in passing."""
        if not self.quiet:
            self.stderr.print(escape(message), soft_wrap=True, highlight=False)

    def warn(self, message: str) -> None:
        self.stderr.print(f"[yellow]Warning:[/] {escape(message)}", soft_wrap=True, highlight=False)

    def error(self, message: str) -> None:
        self.stderr.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True, highlight=False)

    def finish(
        self,
        result: Result,
        *,
        folder: Path | None = None,
        artifacts: Sequence[Path] = (),
        warnings: Sequence[str] = (),
        tables: Sequence[Table | str] = (),
    ) -> None:
        """Print a result, write it as ``result.json`` into ``folder``, and hold the checks.

        Args:
            artifacts: the files made, for the envelope.
            warnings: those of the rendering, beside the result's own.
            tables: printed for a reader instead of the claims; lines of text too.

        Raises:
            CheckFailed: a check is not met.
        """
        warnings = [*result.warnings, *warnings]
        envelope = self.envelope(result, artifacts, warnings)
        if folder is not None:
            files.write_json(folder / rundir.RESULT, envelope)
        try:
            self._print(envelope, tables or [claims_table(result.claims)], artifacts)
            if result.conclusion is not None and not self.as_json:
                self.stdout.print(escape(result.conclusion), soft_wrap=True, highlight=False)
        except OSError as failure:
            raise RunError(f"the result cannot be written to stdout: {failure.strerror}") from None
        for warning in warnings:
            self.warn(warning)
        require(self.checks, result.checkable)

    def _print(
        self,
        envelope: Mapping[str, Any],
        tables: Sequence[Table | str],
        artifacts: Sequence[Path],
    ) -> None:
        if self.as_json:
            text = json.dumps(envelope, indent=2, allow_nan=False)
            self.stdout.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        for table in tables:
            if isinstance(table, str):
                self.stdout.print(escape(table), soft_wrap=True, highlight=False)
            else:
                self.stdout.print(table)
        pages = [path for path in artifacts if path.name == rundir.REPORT]
        images = {path.parent: None for path in artifacts if path.parent.name == rundir.FIGURES}
        for label, paths in (("report", pages), ("figures", [] if pages else images)):
            for path in paths:
                self.stdout.print(f"{label}  {escape(str(path))}", soft_wrap=True, highlight=False)

    def envelope(
        self, result: Result, artifacts: Sequence[Path], warnings: Sequence[str]
    ) -> dict[str, Any]:
        """The JSON document of a result."""
        return {
            "mitool": __version__,
            "command": self.command,
            "subject": dict(result.subject),
            "config": dict(result.config),
            "claims": dict(result.claims),
            "artifacts": [str(path) for path in artifacts],
            "seconds": time.monotonic() - self.started,
            "warnings": list(warnings),
        }


def claims_table(claims: Mapping[str, Claim]) -> Table:
    """Claims as two columns."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", overflow="fold")
    table.add_column(overflow="fold", min_width=LEAST_WIDTH)
    for name, value in claims.items():
        table.add_row(escape(name), escape(readable(value)))
    return table


def readable(value: Claim) -> str:
    """A claim for a reader: numbers to six digits."""
    match value:
        case None:
            return "undefined"
        case []:
            return "none"
        case bool() | str() | int():
            return str(value)
        case float():
            return f"{value:.6g}"
    shown = ", ".join(readable(item) for item in value[:MOST_LISTED])
    return shown if len(value) <= MOST_LISTED else f"{shown}, … ({len(value)} in all)"


class _Stream(Console):
    """A console on a stream that may be closed, before or while it is written to."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def _console(file: TextIO | None) -> Console:
    if file is None:  # closed by whoever started the process
        return Console(file=io.StringIO())
    return _Stream(file=file, emoji=False, width=None if file.isatty() else PIPE_WIDTH)
