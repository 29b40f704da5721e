"""What is found: a result with its report, which show themselves."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mitool.api.keywords import takes
from mitool.core.result import Claim, Result

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from torch import Tensor

    from mitool.report import Report

R_co = TypeVar("R_co", bound=Result, covariant=True)
Draw = Callable[[Any, str], "Report"]
"""Makes the report of a result, and of what to type to have the same again."""

MOST_PRINTED = 24
"""Claims, and letters of a claim's name and value, that a terminal is told."""

MOST_LETTERS = 100


class Finding(Generic[R_co]):
    """A result that shows itself: in a notebook as a table with figures, else as text.

    Attributes:
        result: the frozen result, with all that was measured.
        folder: where it is written, or would be.
    """

    def __init__(
        self,
        result: R_co,
        folder: Path,
        again: str,
        draw: Draw,
        warnings: Sequence[str] | None = None,
    ) -> None:
        """Pair a result with its report.

        Args:
            again: what to type to have the same again.
            draw: makes the report.
            warnings: the result's own with those of its writing; left out, the former.
        """
        self.result = result
        self.folder = folder
        self._again = again
        self._draw = draw
        self._warnings = tuple(result.warnings if warnings is None else warnings)

    @property
    def claims(self) -> Mapping[str, Claim]:
        """The named findings; one that is undefined is None and has a warning that says why."""
        return self.result.claims

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before using the claims."""
        return self._warnings

    @property
    def conclusion(self) -> str | None:
        """The finding on one line, where it can be said on one."""
        return self.result.conclusion

    def arrays(self) -> Mapping[str, "Tensor"]:
        """The arrays behind the findings, by name."""
        return self.result.arrays()

    @cached_property
    def figures(self) -> Mapping[str, "Figure"]:
        """The figures of the report, by name: plotly's, which show themselves in a notebook."""
        from mitool.report.notebook import plots

        return plots(self._report)

    def page(self) -> "Page":
        """The whole report, which a notebook shows in a frame; it carries plotly (4.5 MB)."""
        return Page(self._report)

    @cached_property
    def _report(self) -> "Report":
        return self._draw(self.result, self._again)

    def __repr__(self) -> str:
        report = self._report
        names = ", ".join(figure.name for figure in report.figures if not figure.of)
        lines = [
            report.title,
            report.summary,
            *_listed(self.claims),
            *(f"Warning: {warning}" for warning in self.warnings),
            *([f"figures: {names}"] if names else []),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from mitool.report.notebook import summary_html

        report = self._report
        names = [figure.name for figure in report.figures if not figure.of]
        return summary_html(report.title, report.summary, self.warnings, self.claims, names)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        from mitool.report.notebook import drawn

        display({"text/html": self._repr_html_(), "text/plain": repr(self)}, raw=True)
        for figure in drawn(self._report):
            display(figure)


class Analysis(Finding[R_co]):
    """What an analysis found, which is in memory until it is saved."""

    def __init__(
        self, result: R_co, folder: Path, again: str, draw: Draw, command: str, started: float
    ) -> None:
        """Pair a result with its report.

        Args:
            command: the name of the command that finds the same.
            started: when the work began.
        """
        super().__init__(result, folder, again, draw)
        self._command = command
        self._seconds = time.monotonic() - started

    @takes()
    def save(
        self,
        out: str | Path | None = None,
        *,
        overwrite: bool = False,
        formats: str | Sequence[str] = "html",
        progress: bool = False,
    ) -> Path:
        """Write what the command writes: record, documents, arrays and report.

        Args:
            out: the folder; left out, ``folder``, which is beside what is studied.
            overwrite: replace the result that the folder holds.
            formats: of the report, html or png or both; png needs a browser.
            progress: say what is written.

        Returns:
            The folder.

        Raises:
            UsageError: the folder cannot be used, or holds a result.
            RunError: a file cannot be written.
        """
        from mitool.actions.request import Request
        from mitool.actions.writing import write_analysis
        from mitool.api.asking import console_if, path_if
        from mitool.report import Formats
        from mitool.storage import locking

        folder = path_if(out) or self.folder
        request = Request(
            command=self._command,
            again=self._again,
            formats=Formats.parse(formats),
            console=console_if(progress),
            overwrite=overwrite,
            started=time.monotonic() - self._seconds,
        )
        with locking.claimed(folder, overwrite=overwrite, clear=False):
            write_analysis(request, folder, self.result, self._report)
        self.folder = folder
        return folder


class Page:
    """A report as a page."""

    def __init__(self, report: "Report") -> None:
        self._report = report

    @cached_property
    def html(self) -> str:
        """The page, which needs no other file."""
        from mitool.report import render_page

        return render_page(self._report)

    def __repr__(self) -> str:
        return f"Page({self._report.title!r}, {len(self._report.figures)} figures)"

    def _repr_html_(self) -> str:
        from mitool.report.notebook import page_html

        return page_html(self._report)


def _listed(claims: Mapping[str, Claim]) -> list[str]:
    """The claims for a terminal, in two columns."""
    shown = list(claims.items())[:MOST_PRINTED]
    width = max((len(name) for name, _ in shown), default=0)
    lines = [f"  {name:<{width}}  {_shortened(value)}" for name, value in shown]
    left_out = len(claims) - len(shown)
    return [*lines, *([f"  and {left_out} more claims"] if left_out else [])]


def _shortened(claim: Claim) -> str:
    text = f"{claim:z.6g}" if isinstance(claim, float) else str(claim)
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
