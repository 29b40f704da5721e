"""A report as one HTML page that needs nothing else: no server, no network, no other file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from plotly.offline import get_plotlyjs

from mitool.core.result import Result, read_as
from mitool.core.version import __version__
from mitool.report.figures import Figure
from mitool.report.rendering import rendered, source
from mitool.report.tables import Table, claims_tables, settings_tables


@dataclass(frozen=True)
class Report:
    """What a report says, as plain text and figures; whoever renders it escapes the text.

    Attributes:
        summary: the finding, in one line.
        command: what to type to have the same result again, if a command gave it.
        version: of mitool.
        tables: below the figures, each with its heading.
    """

    title: str
    summary: str
    result: Result
    figures: Sequence[Figure]
    command: str | None = None
    version: str = __version__
    tables: Sequence[Table] = ()

    def __post_init__(self) -> None:
        names = [figure.name for figure in self.figures]
        if len(set(names)) < len(names):
            raise ValueError(f"figures: expected different names, found {', '.join(names)}")


def render_page(report: Report) -> str:
    """The report as an HTML page.

    By its own security policy the page makes no request and runs no script but those it carries:
    plotly, and the few lines that draw the figures with it.
    """
    return rendered(
        "page.html.j2",
        scripts=[get_plotlyjs(), source("page.js")] if report.figures else [],
        report=report,
        reading=read_as(report.result.config),
        claims=claims_tables(report.result.claims),
        subject=_subject_tables(report.result),
        settings=settings_tables(report.result.config),
        figures=[figure for figure in report.figures if not figure.of],
        choices=_choices(report.figures),
        plots={figure.name: _script_json(figure) for figure in report.figures},
    )


def subject_title(subject: Mapping[str, Any]) -> str:
    """What was made or studied, in a few words: a task with its parameters, or a model."""
    if "model" in subject:
        return PurePath(str(subject["model"])).name
    task = subject.get("task", {})
    own = task.get("parameters", {})
    parameters = ", ".join(f"{k} = {v}" for k, v in own.items() if v is not None)
    name = task.get("name", "a model")
    return f"{name} ({parameters})" if parameters else name


def _subject_tables(result: Result) -> tuple[Table, ...]:
    """What was studied, less what the settings repeat."""
    own = {k: v for k, v in result.subject.items() if result.config.get(k) != v}
    return settings_tables(own)


def _choices(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    """The figures of each of several like things, of which a page shows one at a time."""
    by_subject: dict[str, list[Figure]] = {}
    for figure in figures:
        if figure.of:
            by_subject.setdefault(figure.of, []).append(figure)
    return by_subject


def _script_json(figure: Figure) -> str:
    """A plot as JSON in which no text can end the script element that holds it."""
    text: str = figure.plot.to_json()
    # plotly does the same today, but promises it nowhere
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
