"""The drawing of a circuit: nodes by layer, edges by score."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mitool.analysis.circuits import CircuitResult
from mitool.report.circuits.layout import Layout, layout_of
from mitool.report.circuits.lines import Box, Line, boxes_of, lines_of
from mitool.report.circuits.routes import BOX_HEIGHT, BOX_WIDTH, Way, routes
from mitool.report.circuits.strokes import (
    add_key,
    add_strokes,
    fill_of,
    stroke_of,
    strokes_caption,
)
from mitool.report.circuits.summary import of_scores, units_of
from mitool.report.figures import TEMPLATE, Figure

MOST_LINES = 1000
"""Edges that are drawn: of more, the strongest."""

ROW, ABOVE, BELOW = 88, 52, 56
"""Pixels from a row to the next, and above and below all of them."""

LEAST_WIDTH = 7.0
"""Of what is drawn, where nodes stand 1 apart: fewer stand no further apart than that."""

WIDE, FONT, SMALL_FONT = 10.5, 13, 11
"""The width from which names are small, and sizes of names."""

BAND, OUTLINE = "#F3F4F6", "#374151"


def circuit_drawing(result: CircuitResult) -> list[Figure]:
    """Nothing where no edge is in the circuit."""
    everything = lines_of(result)
    if not everything:
        return []
    lines = strongest(everything)
    layout = layout_of(result.found.circuit)
    plot = _draw(layout, lines, boxes_of(result, everything))
    return [
        Figure(
            "circuit",
            _title(result, lines, everything),
            _caption(result, lines, everything),
            plot,
            scalable=True,
        )
    ]


def _title(result: CircuitResult, lines: Sequence[Line], everything: Sequence[Line]) -> str:
    claims, found = result.claims, result.found
    text = f"The circuit: {claims['n_edges']:,} of {claims['n_edges_total']:,} edges"
    if found.units.level != "edge":
        n = f"{int(found.chosen.sum()):,} of {units_of(result, len(found.units))}"
        text = f"The circuit: {n}, with {claims['n_edges']:,} edges"
    less = len(lines) < len(everything)
    return f"{text}, of which {len(lines):,} are drawn" if less else text


def strongest(lines: Sequence[Line]) -> list[Line]:
    """As many as are drawn, the weakest first, so that the strongest are drawn over them."""
    by_size = sorted(lines, key=lambda line: -abs(line.score or 0.0))
    return by_size[:MOST_LINES][::-1]


def _draw(layout: Layout, lines: Sequence[Line], boxes: Sequence[Box]) -> go.Figure:
    ways = routes(layout, lines[::-1])[::-1]  # the strongest take the straightest
    largest = max((abs(line.score) for line in lines if line.score is not None), default=0.0)
    plot = go.Figure(layout={"template": TEMPLATE, "hovermode": "closest"})
    add_strokes(plot, ways, [stroke_of(line, largest) for line in lines])
    _add_pointers(plot, lines, ways)
    _add_boxes(plot, layout, boxes)
    add_key(plot, lines)
    low, high = _extent(layout, ways)
    _add_names(plot, layout, boxes, SMALL_FONT if high - low > WIDE else FONT)
    _add_bands(plot, layout)
    plot.update_xaxes(visible=False, range=[low, high])
    ends = [-0.5, layout.n_rows - 0.5]
    plot.update_yaxes(range=ends, showgrid=False, showline=False, ticks="", tickfont_size=13)
    height = ABOVE + ROW * layout.n_rows + BELOW
    below = {"orientation": "h", "x": 0, "y": -8 / (ROW * layout.n_rows), "yanchor": "top"}
    return plot.update_layout(
        height=height, margin_t=ABOVE, margin_b=BELOW, legend=below, showlegend=True
    )


def _extent(layout: Layout, ways: Sequence[Way]) -> tuple[float, float]:
    """Left and right end of what is drawn, 0 in the middle."""
    nodes = max(abs(x) for x, _ in layout.places.values()) + BOX_WIDTH / 2
    lines = max((float(np.abs(way[:, 0]).max()) for way in ways), default=0.0)
    side = max(nodes, lines, LEAST_WIDTH / 2) + 0.1
    return -side, side


def _add_pointers(plot: go.Figure, lines: Sequence[Line], ways: Sequence[Way]) -> None:
    """Three points on each line, unseen, that speak of it."""
    at = [way[[len(way) // 4, len(way) // 2, -1 - len(way) // 4]] for way in map(_filled, ways)]
    plot.add_scatter(
        x=[round(float(x), 3) for points in at for x in points[:, 0]],
        y=[round(float(y), 3) for points in at for y in points[:, 1]],
        name="edges",
        mode="markers",
        marker={"size": 8, "opacity": 0},
        hovertext=[line.hover for line in lines for _ in range(3)],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _filled(way: Way) -> Way:
    """A straight line has no points but its ends."""
    return np.linspace(way[0], way[-1], 5) if len(way) == 2 else way


def _add_boxes(plot: go.Figure, layout: Layout, boxes: Sequence[Box]) -> None:
    largest = max((abs(box.score) for box in boxes if box.score is not None), default=0.0)
    fills: dict[str, list[Box]] = {}
    for box in boxes:
        fills.setdefault(fill_of(box.score, largest), []).append(box)
    for fill, filled in fills.items():
        x: list[float | None] = []
        y: list[float | None] = []
        for box in filled:
            at = layout.places[box.node]
            x += [at[0] + part * BOX_WIDTH for part in (-0.5, 0.5, 0.5, -0.5, -0.5)] + [None]
            y += [at[1] + part * BOX_HEIGHT for part in (-0.5, -0.5, 0.5, 0.5, -0.5)] + [None]
        plot.add_scatter(
            x=x,
            y=y,
            mode="lines",
            fill="toself",
            fillcolor=fill,
            line={"color": OUTLINE, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )


def _add_names(plot: go.Figure, layout: Layout, boxes: Sequence[Box], font: int) -> None:
    plot.add_scatter(
        x=[layout.places[box.node][0] for box in boxes],
        y=[layout.places[box.node][1] for box in boxes],
        name="nodes",
        mode="text",
        text=[str(box.node) for box in boxes],
        textfont_size=font,
        hovertext=[box.hover for box in boxes],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _add_bands(plot: go.Figure, layout: Layout) -> None:
    """Every second layer on grey; the names of all at the side."""
    for index, (low, high) in enumerate(layout.layers.values()):
        if index % 2 == 0:
            at = {"y0": low - 0.5, "y1": high + 0.5, "x0": 0, "x1": 1, "xref": "x domain"}
            plot.add_shape(type="rect", fillcolor=BAND, line_width=0, layer="below", **at)
    middles = [(low + high) / 2 for low, high in layout.layers.values()]
    plot.update_yaxes(tickvals=middles, ticktext=list(layout.layers))


def _caption(result: CircuitResult, lines: Sequence[Line], everything: Sequence[Line]) -> str:
    found, n_nodes = result.found, result.claims["n_nodes"]
    chosen = f"{int(found.chosen.sum()):,} of {units_of(result, len(found.units))}"
    text = (
        f"{n_nodes} nodes, from the input at the bottom to the logits at the top: L0H1 is head 1 "
        f"of layer 0, MLP0 its MLP; every edge goes upwards. In the circuit are {chosen}. "
    )
    if len(lines) < len(everything):
        which = "strongest" if found.units.level == "edge" and found.scores is not None else "first"
        text += f"The {which} {len(lines):,} of {len(everything):,} lines are drawn. "
    text += strokes_caption(result, lines)
    if found.scores is not None:
        one = f"the {found.units.level}"
        text += f" {of_scores(result, one)}; n = {result.origin.found_on.groups}."
    return f"{text} Point at nodes and edges for their numbers."
