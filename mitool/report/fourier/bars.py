"""Bars over frequencies, with the key frequencies told apart and named."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from torch import Tensor

from mitool.report.figures import BLACK, BLUE, ORANGE, SKY, VERMILLION, label, new_plot

NAMED = 8
"""Bars that are named above them."""


def frequency_bars(values: Tensor, keys: Sequence[int], y_title: str) -> go.Figure:
    """A bar for each frequency 1, 2, .., dark where it is a key frequency."""
    plot = new_plot("frequency k", y_title)
    frequencies = list(range(1, len(values) + 1))
    plot.add_bar(
        x=frequencies,
        y=[float(f"{value:z.6g}") for value in values.tolist()],
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


def component_bars(norms: Tensor, y_title: str) -> go.Figure:
    """The norms of a cosine and a sine of each frequency; the constant is left out.

    Args:
        norms: by row of the Fourier basis.
    """
    plot = new_plot("frequency k", y_title)
    for name, values, color in (("cosine", norms[1::2], BLUE), ("sine", norms[2::2], VERMILLION)):
        y = [float(f"{value:z.6g}") for value in values.tolist()]
        plot.add_bar(x=list(range(1, len(y) + 1)), y=y, name=name, marker_color=color)
    return plot


def product_bars(
    frequencies: Sequence[int], names: Sequence[str], values: Mapping[str, Sequence[float]]
) -> go.Figure:
    """Bars for each product of each frequency, some side by side.

    Args:
        names: of the products.
        values: for each of the bars that stand side by side its name and heights, first all of
            the first frequency's.
    """
    plot = new_plot("", "")
    x = [
        [label(f"frequency {k}") for k in frequencies for _ in names],
        [label(name) for _ in frequencies for name in names],
    ]
    for (name, heights), color in zip(values.items(), (ORANGE, BLUE, SKY), strict=False):
        plot.add_bar(x=x, y=list(heights), name=name, marker_color=color)
    legend = {"orientation": "h", "y": 1.01, "yanchor": "bottom", "x": 0}
    plot.update_layout(height=600, margin_t=92, legend=legend)
    plot.update_xaxes(tickangle=-90, title_standoff=8, tickfont_size=12)
    return plot


def add_threshold(plot: go.Figure, threshold: float, last: float, name: str) -> None:
    """A dashed line from the upright axis to ``last``, at the least share of what is told apart."""
    plot.add_scatter(
        x=[0, last],
        y=[threshold, threshold],
        name=label(f"{name}: {threshold:z.3g}"),
        mode="lines",
        line={"color": VERMILLION, "width": 1.5, "dash": "dash"},
        hoverinfo="skip",
        showlegend=True,
    )


def named(frequencies: Sequence[int]) -> str:
    """Frequencies in words."""
    return ", ".join(map(str, frequencies)) or "none"
