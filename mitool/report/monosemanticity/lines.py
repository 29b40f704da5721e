"""Panels one above the other in which each model, or each sweep, is a line."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mitool.report.figures import (
    FEW_POINTS,
    GREY,
    LEGEND_LINE,
    MAX_LEGEND,
    drawable,
    label,
    log_ticks,
)
from mitool.report.panels import BOTTOM, TOP, new_panels, share_x

PANEL = 190
"""Pixels of a panel."""

DECADE = 10
"""Values of which the largest is more than so many times the smallest are on a log axis."""

THIN, WIDTH, MANY = 1.1, 1.8, 20
"""Pixels of a line of many, and of a few; and how many are many."""

DOTTED = {"color": GREY, "width": 1, "dash": "dot"}
"""A line of reference."""


@dataclass(frozen=True)
class Line:
    """A line of each panel.

    Attributes:
        group: names it in the legend, with others of its colour.
        name: what is said of it when it is pointed at.
        y: of each panel; None is a gap.
    """

    group: str
    name: str
    color: str
    x: Sequence[float | str]
    y: Sequence[Sequence[float | None]]
    dash: str = "solid"


def line_panels(
    names: Sequence[str],
    lines: Sequence[Line],
    x_title: str,
    *,
    legend: str = "",
    height: int = PANEL,
    log: Collection[int] = (),
    joined: bool = True,
) -> go.Figure:
    """The panels, with one axis of x.

    Args:
        names: of the panels.
        legend: what the groups are.
        height: pixels of a panel.
        log: the panels whose upright axis is a log axis.
        joined: points are joined by lines.
    """
    plot = new_panels(names, x_title, "", height=height, shared=True, columns=1)
    seen: set[str] = set()
    for line in lines:
        width = THIN if len(lines) > MANY else WIDTH
        style = {"color": line.color, "dash": line.dash, "width": width}
        for panel, values in enumerate(line.y):
            trace = _trace(line, values, style, is_log=panel in log, joined=joined)
            trace.showlegend = panel == 0 and line.group not in seen
            plot.add_trace(trace, panel + 1, 1)
        seen.add(line.group)
    height = max(plot.layout.height, TOP + BOTTOM + LEGEND_LINE * (len(seen) + 2))
    plot.update_layout(height=height, showlegend=1 < len(seen) <= MAX_LEGEND)
    plot.update_layout(legend_title_text=label(legend), hovermode="closest")
    share_x(plot.update_yaxes(tickfont_size=12))
    for panel in log:
        drawn = [y for line in lines for y in line.y[panel] if y is not None and y > 0]
        plot.update_yaxes(type="log", **log_ticks(drawn), row=panel + 1, col=1)
    return plot


def _trace(
    line: Line,
    values: Sequence[float | None],
    style: Mapping[str, object],
    *,
    is_log: bool,
    joined: bool,
) -> go.Scatter:
    few = len(line.x) <= FEW_POINTS
    return go.Scatter(
        x=list(line.x),
        y=[drawable(value, 0 if is_log else -math.inf) for value in values],
        mode=("lines+markers" if few else "lines") if joined else "markers",
        name=label(line.group),
        legendgroup=label(line.group),
        line=dict(style),
        marker_size=6,
        cliponaxis=False,
        hovertemplate=f"{label(line.name)}<br>%{{x:,}}: %{{y:.4g}}<extra></extra>",
    )


def is_wide(values: Iterable[float | None]) -> bool:
    """Whether the values need a log axis, and have a place on it."""
    known = [value for value in values if value is not None]
    return bool(known) and 0 < min(known) * DECADE < max(known)


def powers_of_two(last: int) -> Mapping[str, list[object]]:
    """Ticks of a log axis from 1 to ``last``, in plotly's words: 1, 4, 16, 64 and so on."""
    ticks = [4**power for power in range(int(math.log2(max(last, 1))) // 2 + 1)]
    return {"tickvals": [*ticks], "ticktext": [f"{tick:,}" for tick in ticks]}
