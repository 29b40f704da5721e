"""Heatmaps: one, or several panels with one colour scale."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Int
from torch import Tensor

from mitool.report.figures import TEMPLATE, label
from mitool.report.panels import BOTTOM, TOP, WIDTH, columns_of, new_panels, places

MOST_CELLS = 256
"""Rows and columns that are drawn; of more, every second, or every third, and so on."""

SHORT_UNIT = 12
"""Letters that fit above the scale of colours."""

MAX_NAME = 24
"""Letters of the name of a row or column."""

NUMBERED = 24
"""Pixels of a cell that its number is written in."""

LEGEND, ABOVE = 30, 14
"""Pixels of a legend above the names of panels, and from it to a panel's name of two lines."""

Labels = Sequence[str] | Sequence[int] | None

DIVERGING, SEQUENTIAL = "RdBu_r", "Viridis"


def heatmap(
    values: Tensor,
    x_title: str,
    y_title: str,
    unit: str,
    *,
    diverging: bool = False,
    x: Labels = None,
    y: Labels = None,
    height: int = 520,
) -> go.Figure:
    """One heatmap of ``values`` [y, x]; one that is not finite is left blank.

    Args:
        unit: what the colours stand for.
        diverging: colours around 0, for values of both signs.
        x: names of the columns, or where they stand; their numbers if left out.
        y: the same of the rows.
    """
    plot = go.Figure(layout={"template": TEMPLATE, "height": height})
    trace = _trace(values, x, y)
    plot.add_trace(trace.update(colorscale=_scale(diverging), colorbar=_bar(unit)))
    if diverging:
        plot.update_traces(zmid=0)
    plot.update_xaxes(title_text=label(x_title), showgrid=False, type=_type(x))
    plot.update_yaxes(title_text=label(y_title), showgrid=False, type=_type(y))
    return plot


def heatmap_panels(
    panels: Mapping[str, Tensor],
    x_title: str,
    y_title: str,
    unit: str,
    *,
    diverging: bool = False,
    x: Labels = None,
    y: Labels = None,
    height: float | None = None,
) -> go.Figure:
    """Heatmaps of one size side by side, each named, with one colour scale.

    Args:
        x: names of the columns of all panels, or where they stand.
        y: the same of the rows.
        height: pixels of a panel; about as high as wide if left out.
    """
    shared = x is not None and y is not None
    plot = new_panels(list(panels), x_title, y_title, height=height, shared=shared)
    plot.update_layout(coloraxis={"colorscale": _scale(diverging), "colorbar": _bar(unit)})
    if diverging:
        plot.update_layout(coloraxis_cmid=0)
    at = places(len(panels), shared=shared)
    for values, (row, column) in zip(panels.values(), at, strict=True):
        plot.add_trace(_trace(values, x, y).update(coloraxis="coloraxis"), row, column)
    plot.update_xaxes(showgrid=False, type=_type(x))
    plot.update_yaxes(showgrid=False, type=_type(y))
    if shared:
        plot.update_xaxes(tickfont_size=11)
        plot.update_yaxes(tickfont_size=11)
    return plot


def kind_panels(
    panels: Mapping[str, Int[Tensor, "y x"]],
    kinds: Mapping[str, str],
    x_title: str,
    y_title: str,
    *,
    x: Sequence[float],
    y: Sequence[float],
    hover: Sequence[Sequence[str]],
) -> go.Figure:
    """Heatmaps of one size side by side whose cells are of one kind or another.

    Args:
        panels: of each cell the index of its kind.
        kinds: their names, and their colours.
        x: where the cells end: one more than there are columns, ascending.
        y: the same of the rows.
        hover: what is said of a cell, as plotly's HTML: [row][column].
    """
    plot = new_panels(list(panels), x_title, y_title)
    colors = [*kinds.values()]
    # each colour from where its kind's share of the scale begins to where it ends
    scale = [(i / len(colors), c) for j, c in enumerate(colors) for i in (j, j + 1)]
    for values, (row, column) in zip(panels.values(), places(len(panels)), strict=True):
        cells_of_kinds = go.Heatmap(
            z=values.tolist(),
            x=list(x),
            y=list(y),
            zmin=-0.5,
            zmax=len(colors) - 0.5,
            colorscale=scale,
            showscale=False,
            hovertext=[list(texts) for texts in hover],
            hovertemplate="%{hovertext}<extra></extra>",
        )
        plot.add_trace(cells_of_kinds, row, column)
    add_kinds(plot, kinds, symbol="square", size=13)
    put_legend_above(plot)
    return plot.update_xaxes(showgrid=False).update_yaxes(showgrid=False)


def add_kinds(plot: go.Figure, kinds: Mapping[str, str], **marker: object) -> None:
    """Entries of a legend that say what colours stand for.

    Args:
        kinds: names, and colours.
        marker: that stands beside the names, in plotly's words.
    """
    for name, color in kinds.items():
        plot.add_scatter(
            x=[None], y=[None], mode="markers", name=label(name), marker={"color": color, **marker}
        )


def put_legend_above(plot: go.Figure, lines: int = 1) -> None:
    """Make room for a legend of so many lines above the names of panels, and put it there."""
    margin, room = plot.layout.margin, LEGEND * lines
    bottom = BOTTOM if margin.b is None else margin.b
    top = (TOP if margin.t is None else margin.t) + room
    area = plot.layout.height - top + room - bottom
    legend = {
        "orientation": "h",
        "x": 0,
        "y": 1 + (top - room - TOP + LEGEND + ABOVE) / area,
        "yanchor": "bottom",
    }
    plot.update_layout(height=plot.layout.height + room, margin_t=top, showlegend=True)
    plot.update_layout(legend=legend | {"traceorder": "normal"})


def write_numbers(plot: go.Figure) -> None:
    """Write into the cells their numbers, where they fit."""
    panel = WIDTH / columns_of(len(plot.data), shared=True)
    if panel / len(plot.data[0].x) >= NUMBERED:
        plot.update_traces(texttemplate="%{z:.2f}")


def cells(values: Tensor, x: Labels = None, y: Labels = None) -> dict[str, list[object]]:
    """What a heatmap draws of ``values`` [y, x]: its ``z``, ``x`` and ``y``."""
    rows, columns = drawn(values)
    shown = values[list(rows)][:, list(columns)].float()
    return {
        "z": [[_number(value) for value in row] for row in shown.tolist()],
        "x": _places(x, columns),
        "y": _places(y, rows),
    }


def drawn(values: Tensor) -> tuple[range, range]:
    """The rows and the columns of ``values`` [y, x] that a heatmap draws."""
    rows, columns = (range(0, size, math.ceil(size / MOST_CELLS)) for size in values.shape)
    return rows, columns


def distinct(names: Sequence[str], chosen: Sequence[int]) -> list[str]:
    """The names of what is chosen as labels, no two alike: what shares a name has its number."""
    shown = [label(names[index], MAX_NAME) for index in chosen]
    count = Counter(shown)
    return [
        name if count[name] == 1 else f"{name} ({index})"
        for name, index in zip(shown, chosen, strict=True)
    ]


def thinning(values: Tensor) -> str:
    """What a caption says of rows and columns that are left out."""
    rows, columns = drawn(values)
    if rows.step == columns.step > 1:
        return f" One row and column of every {rows.step} are drawn."
    thinned = (("row", rows.step), ("column", columns.step))
    return "".join(f" One {what} of every {step} is drawn." for what, step in thinned if step > 1)


def _trace(values: Tensor, x: Labels = None, y: Labels = None) -> go.Heatmap:
    return go.Heatmap(**cells(values, x, y), hovertemplate="%{x}, %{y}: %{z:.4g}<extra></extra>")


def _number(value: float) -> float | None:
    return float(f"{value:z.4g}") if math.isfinite(value) else None


def _places(names: Labels, chosen: Sequence[int]) -> list[object]:
    if names is None:
        return list(chosen)
    if isinstance(names[0], int):
        return [names[index] for index in chosen]
    return [*distinct([str(name) for name in names], chosen)]


def _type(names: Labels) -> str | None:
    """Names are names, though they be numbers."""
    return "category" if names is not None and isinstance(names[0], str) else None


def _scale(diverging: bool) -> str:
    return DIVERGING if diverging else SEQUENTIAL


def _bar(unit: str) -> dict[str, object]:
    side = "top" if len(unit) <= SHORT_UNIT else "right"
    return {"title": {"text": label(unit), "side": side}, "thickness": 14}
