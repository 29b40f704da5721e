"""Effects as horizontal bars with their intervals."""

from collections.abc import Sequence

import plotly.graph_objects as go

from mitool.analysis.patching import PatchResult
from mitool.report.figures import BLACK, BLUE, VERMILLION, label, new_plot
from mitool.report.patching.shown import MAX_SITE, hover, unit, values

BAR, AROUND = 24, 130
"""Pixels of a bar, and above and below all of them."""


def effect_bars(result: PatchResult, sites: Sequence[tuple[str, int]]) -> go.Figure:
    """A bar for each site, the first at the top.

    Args:
        sites: (family, number in it).
    """
    plot = new_plot(unit(result), "")
    names = [label(result.effects[name].sites[index], MAX_SITE) for name, index in sites]
    drawn = [values(result, name)[index].item() for name, index in sites]
    plot.add_bar(
        orientation="h",
        x=[float(f"{value:z.4g}") for value in drawn],
        y=names,
        marker_color=[VERMILLION if value > 0 else BLUE for value in drawn],
        hovertext=[hover(result, name, index) for name, index in sites],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    _add_intervals(plot, names, [result.effects[name].interval(i) for name, i in sites])
    plot.update_xaxes(zeroline=True, zerolinecolor="#9CA3AF")
    plot.update_yaxes(type="category", autorange="reversed", showgrid=False, tickfont_size=12)
    return plot.update_layout(height=AROUND + BAR * len(sites), showlegend=False)


def _add_intervals(
    plot: go.Figure, names: Sequence[str], intervals: Sequence[tuple[float, float] | None]
) -> None:
    """A line from end to end for each bar that has an interval; plotly's own error bars would show
    one of no length where there is none.
    """
    known = [(name, ends) for name, ends in zip(names, intervals, strict=True) if ends]
    if not known:
        return
    plot.add_scatter(
        x=[end for _, ends in known for end in (*ends, None)],
        y=[name for name, _ in known for _ in range(3)],
        mode="lines+markers",
        line={"color": BLACK, "width": 1.5},
        marker={"symbol": "line-ns-open", "size": 8, "color": BLACK},
        hoverinfo="skip",
    )
