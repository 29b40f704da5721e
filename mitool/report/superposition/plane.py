"""Directions of features in a hidden layer of two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.superposition import measures
from mitool.report.figures import BLACK
from mitool.report.panels import new_panels, places
from mitool.report.superposition.shown import digits

ACROSS = 5
"""Panels side by side."""

SIDE, LARGEST = 700, 330
"""Pixels of all panels of a row, and of one that is alone."""

AROUND = 1.12
"""How far the axes go, of the longest direction, or of 1 if that is longer."""

MARKER = 9
CIRCLE = "#C5CAD3"

REPRESENTED = {"represented (norm > 0.5)": "circle", "not represented": "circle-open"}
"""The markers at the ends of directions."""

HOW = (
    "Each line goes from the origin to W_i, the direction of feature i in the hidden layer; a full "
    "marker at its end says that the feature is represented (its norm is above 0.5), an open one "
    "that it is not. The dotted circle has radius 1, and the axes are the same in all panels: "
    "hidden dimensions 0 (across) and 1 (up)."
)
"""Sentences for a caption."""


@dataclass(frozen=True)
class Plane:
    """A model's directions, and their colours.

    Attributes:
        name: of its panel.
        about: what is said of each feature beside its number and norm.
    """

    name: str
    W: Float[Tensor, "2 feature"]
    colors: Sequence[str]
    about: Sequence[str]


def plane_panels(planes: Sequence[Plane], *, columns: int = ACROSS) -> go.Figure:
    """A panel for each model, and entries of a legend for the markers."""
    columns = min(columns, len(planes))
    names = [plane.name for plane in planes]
    height = min(SIDE / columns, LARGEST)
    plot = new_panels(names, "", "", shared=True, columns=columns, height=height)
    end = AROUND * max(1.0, *(measures.norms(plane.W[None]).max().item() for plane in planes))
    for index, (row, column) in enumerate(places(len(planes), columns=columns)):
        for trace in _directions(planes[index]):
            plot.add_trace(trace, row, column)
        _set_axes(plot, row, column, "" if index == 0 else str(index + 1), end)
    plot.update_annotations(font_size=13)
    for name, symbol in REPRESENTED.items():
        marker = {"symbol": symbol, "size": MARKER, "color": BLACK}
        plot.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=marker)
    return plot


def _directions(plane: Plane) -> list[go.Scatter]:
    """The lines of each colour, whose every third point is the end of a direction."""
    ends = [digits(row) for row in plane.W]
    norms = digits(measures.norms(plane.W[None])[0])
    is_represented = measures.represented(plane.W[None])[0].tolist()
    traces = []
    for color in dict.fromkeys(plane.colors):
        own = [i for i, other in enumerate(plane.colors) if other == color]
        hover = [f"feature {i}: norm {norms[i]}{plane.about[i]}" for i in own]
        symbols = ["circle" if is_represented[i] else "circle-open" for i in own]
        trace = go.Scatter(
            x=[value for i in own for value in (0, ends[0][i], None)],
            y=[value for i in own for value in (0, ends[1][i], None)],
            mode="lines+markers",
            line={"color": color, "width": 2.5},
            marker={
                "size": [size for _ in own for size in (0, MARKER, 0)],
                "symbol": [s for symbol in symbols for s in (symbol, symbol, symbol)],
                "color": color,
                "opacity": 1,
            },
            hovertext=[text for at_end in hover for text in ("", at_end, "")],
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
        traces.append(trace)
    return traces


def _set_axes(plot: go.Figure, row: int, column: int, axis: str, end: float) -> None:
    """Axes of one scale from ``-end`` to ``end``, and the circle of radius 1."""
    ticks = {"tickvals": [-1, 0, 1], "zeroline": True, "zerolinecolor": "#E5E7EB"}
    plot.update_xaxes(range=[-end, end], constrain="domain", **ticks, row=row, col=column)
    plot.update_yaxes(
        **ticks,
        range=[-end, end],
        constrain="domain",
        scaleanchor=f"x{axis}",
        row=row,
        col=column,
    )
    circle = {"type": "circle", "x0": -1, "x1": 1, "y0": -1, "y1": 1, "layer": "below"}
    plot.add_shape(**circle, line={"color": CIRCLE, "dash": "dot", "width": 1}, row=row, col=column)
