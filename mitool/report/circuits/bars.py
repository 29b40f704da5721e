"""Units as horizontal bars."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mitool.report.figures import label, new_plot

MAX_UNIT = 40
"""Letters of the name of a unit."""

BAR, NARROW, MANY, AROUND = 22, 13, 40, 130
"""Pixels of a bar, of one of many, how many those are, and pixels around all of them."""


@dataclass(frozen=True)
class Bar:
    """A unit's number.

    Attributes:
        group: what the legend calls those of this colour.
        hover: plotly's HTML.
    """

    name: str
    value: float
    color: str
    group: str
    hover: str


def unit_bars(bars: Sequence[Bar], x_title: str) -> go.Figure:
    """A bar for each, the first at the top; a legend where there are several groups."""
    plot = new_plot(x_title, "")
    groups = list(dict.fromkeys((bar.group, bar.color) for bar in bars))
    for group, color in groups:
        own = [bar for bar in bars if (bar.group, bar.color) == (group, color)]
        plot.add_bar(
            orientation="h",
            x=[float(f"{bar.value:z.4g}") for bar in own],
            y=[label(bar.name, MAX_UNIT) for bar in own],
            name=group,
            marker_color=color,
            hovertext=[bar.hover for bar in own],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    order = [label(bar.name, MAX_UNIT) for bar in bars]
    pixels, font = (BAR, 12) if len(bars) <= MANY else (NARROW, 9)
    plot.update_xaxes(zeroline=True, zerolinecolor="#9CA3AF")
    plot.update_yaxes(type="category", categoryorder="array", categoryarray=order)
    plot.update_yaxes(range=[len(order) - 0.4, -0.6], showgrid=False, tickfont_size=font, dtick=1)
    height = AROUND + pixels * len(bars)
    above = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"}
    plot.update_layout(height=height, barmode="overlay", legend=above)
    return plot.update_layout(showlegend=len(groups) > 1, margin_t=78)
