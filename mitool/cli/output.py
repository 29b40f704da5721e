"""What a command prints: results to stdout, progress and notes to stderr, JSON on request."""

import json
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mitool.cli.checks import Check, outcomes, require, require_known
from mitool.cli.common import command_line
from mitool.cli.tables import fitted
from mitool.console.terminal import console_on, is_live, note, one_line
from mitool.core.errors import RunError
from mitool.core.result import Claim, Result, read_as
from mitool.storage import layout

if TYPE_CHECKING:
    from mitool.actions.request import Done

LEAST_WIDTH = 14
"""Columns that a claim's value has on the narrowest terminal."""

MOST_LISTED = 24
"""Values of a list that are printed; JSON has all."""


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
        return console_on(sys.stdout)

    @property
    def stderr(self) -> Console:
        return console_on(sys.stderr)

    @property
    def progress(self) -> Console | None:
        """Where progress and notes go; None where there are to be none."""
        return None if self.quiet else self.stderr

    def note(self, message: str) -> None:
        """Tell the user something in passing."""
        note(self.progress, message)

    def warn(self, message: str) -> None:
        self._say("[yellow]Warning:[/] ", message)

    def error(self, message: str, notes: Sequence[str] = ()) -> None:
        """Say what went wrong, and below it, a line each, what else did."""
        self._say("[bold red]Error:[/] ", message)
        for text in notes:
            self._say("  ", text)

    def _say(self, label: str, message: str) -> None:
        text = escape(one_line(message))
        self.stderr.print(f"{label}{text}", soft_wrap=True, highlight=False)

    def require_known(self, names: Collection[str]) -> None:
        """Check that every check names one of these claims, before there is work done for it.

        Raises:
            UsageError: one does not.
        """
        require_known(self.checks, names)

    def finish(
        self,
        result: Result,
        *,
        artifacts: Sequence[Path] = (),
        tables: Sequence[Table | str] = (),
    ) -> None:
        """Print a result, and hold the checks.

        Args:
            artifacts: the files made, for the envelope.
            tables: printed for a reader instead of the claims; lines of text too.

        Raises:
            UsageError: a check names no claim; nothing is printed or written then.
            CheckFailed: a check is not met.
        """
        from mitool.actions.request import envelope

        document = envelope(
            self.command, command_line(), self.started, result, artifacts, result.warnings
        )
        self._finish(result, document, tables)

    def finish_done(self, done: "Done[Result]", tables: Sequence[Table | str] = ()) -> None:
        """Print a result that is written; the rest is as of ``finish``."""
        self._finish(done.result, done.envelope, tables)

    def _finish(
        self, result: Result, envelope: Mapping[str, Any], tables: Sequence[Table | str]
    ) -> None:
        require_known(self.checks, result.checkable)
        try:
            if self.as_json:
                self._print_json({**envelope, "checks": outcomes(self.checks, result.checkable)})
            else:
                heading = envelope.get("report") or {}
                finding = result.conclusion or heading.get("summary")
                first = [] if finding is None else [finding]
                self._print(envelope, [*first, *(tables or [claims_table(result.claims)])])
        except OSError as failure:
            raise RunError(f"the result cannot be written to stdout: {failure.strerror}") from None
        if reading := read_as(result.config):
            self.note(reading)
        for warning in envelope["warnings"]:
            self.warn(warning)
        require(self.checks, result.checkable)

    def _print_json(self, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, indent=2, allow_nan=False)
        self.stdout.print(text, markup=False, highlight=False, soft_wrap=True)

    def _print(self, envelope: Mapping[str, Any], tables: Sequence[Table | str]) -> None:
        for table in tables:
            if isinstance(table, str):
                self.stdout.print(escape(table), soft_wrap=True, highlight=False)
            else:
                self._print_table(table)
        artifacts = list(map(Path, envelope["artifacts"]))
        pages = [path for path in artifacts if path.name in (layout.REPORT, layout.INDEX)]
        images = {path.parent: None for path in artifacts if path.parent.name == layout.FIGURES}
        for label, paths in (("report", pages), ("figures", [] if pages else images)):
            for path in paths:
                self.stdout.print(f"{label}  {escape(str(path))}", soft_wrap=True, highlight=False)

    def _print_table(self, table: Table) -> None:
        """A table; in a pipe or file without the spaces that fill its lines up to the longest."""
        out = self.stdout
        if is_live(out):
            out.print(fitted(table, out))
            return
        with out.capture() as captured:
            out.print(fitted(table, out))
        for line in captured.get().splitlines():
            out.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)


def claims_table(claims: Mapping[str, Claim]) -> Table:
    """Claims as two columns."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", overflow="fold")
    table.add_column(overflow="fold", min_width=LEAST_WIDTH)
    for name, value in claims.items():
        table.add_row(escape(one_line(name)), escape(one_line(readable(value))))
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
            return f"{value:z.6g}"
    shown = ", ".join(readable(item) for item in value[:MOST_LISTED])
    return shown if len(value) <= MOST_LISTED else f"{shown}, … ({len(value)} in all)"
