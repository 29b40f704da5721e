"""A report in a notebook: a few lines of HTML, a few of the figures, or the page in a frame.

The HTML has no script and the page brings its own, so that they show in any notebook; the lines
leave the figures to whoever displays plotly's, so that not each result carries plotly.
"""

import html
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from mitool.core.result import Claim
from mitool.report.figures import Figure, titled
from mitool.report.page import Report, render_page
from mitool.report.rendering import rendered
from mitool.report.tables import Cell, Table, claims_tables

MOST_OPEN = 24
"""Claims that are shown at once; more are shown when they are clicked on."""

MOST_DRAWN = 4
"""Figures that are drawn below the lines."""

FRAME_HEIGHT = 720
"""Pixels."""


def summary_html(
    title: str,
    summary: str = "",
    warnings: Sequence[str] = (),
    claims: Mapping[str, Claim] | None = None,
    figures: Sequence[str] = (),
) -> str:
    """What is found, in HTML that stands in an output cell."""
    return rendered(
        "notebook.html.j2",
        title=title,
        summary=summary,
        warnings=warnings,
        claims=claims_tables(claims or {}),
        n_claims=len(claims or {}),
        most_open=MOST_OPEN,
        figures=figures,
    )


def lines_html(title: str, lines: Mapping[str, str]) -> str:
    """A line of text for each of several names."""
    rows = tuple((name, (Cell(line, line, "text"),)) for name, line in lines.items())
    table = Table("", (), rows)
    return rendered("lines.html.j2", title=title, table=table)


def plots(report: Report) -> dict[str, go.Figure]:
    """The figures by name, each with its title."""
    return {figure.name: titled(figure) for figure in report.figures}


def drawn(report: Report) -> list[go.Figure]:
    """The first few figures."""
    own: list[Figure] = [f for f in report.figures if f.has_image and not f.of]
    return list(map(titled, own[:MOST_DRAWN]))


def page_html(report: Report) -> str:
    """The whole page in a frame of its own, which carries plotly."""
    page = html.escape(render_page(report))
    style = f"width: 100%; height: {FRAME_HEIGHT}px; border: 0"
    return f'<iframe srcdoc="{page}" style="{style}"></iframe>'
