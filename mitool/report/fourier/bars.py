"""Bars over frequencies, with the key frequencies told apart and named."""

from collections.abc import Sequence

import plotly.graph_objects as go
from torch import Tensor

from mitool.report.figures import BLACK, BLUE, SKY, VERMILLION, label, new_plot

NAMED = 8
"""Bars that are named above them."""


def frequency_bars(values: Tensor, keys: Sequence[int], y_title: str) -> go.Figure:
    """A bar for each frequency 1, 2, .., dark where it is a key frequency."""
    plot = new_plot("frequency k", y_title)
    frequencies = list(range(1, len(values) + 1))
    plot.add_bar(
        x=frequencies,
        y=[float(f"{value:.6g}") for value in values.tolist()],
        marker_color=[BLUE if k in keys else SKY for k in frequencies],
        hovertemplate="frequency %{x}: %{y:.4g}<extra></extra>",
        showlegend=False,
    )
    for k in keys[:NAMED]:
        plot.add_annotation(
            x=k,
            y=values[k - 1].item(),
            text=label(k),
            showarrow=False,
            yshift=10,
            font={"size": 13, "color": BLACK},
        )
    return plot


def add_threshold(plot: go.Figure, threshold: float, last: float, name: str) -> None:
    """A dashed line from the upright axis to ``last``, at the least share of what is told apart."""
    plot.add_scatter(
        x=[0, last],
        y=[threshold, threshold],
        name=label(f"{name}: {threshold:.3g}"),
        mode="lines",
        line={"color": VERMILLION, "width": 1.5, "dash": "dash"},
        hoverinfo="skip",
        showlegend=True,
    )


def named(frequencies: Sequence[int]) -> str:
    """Frequencies in words."""
    return ", ".join(map(str, frequencies)) or "none"
