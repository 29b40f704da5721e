"""Heatmaps: one, or several panels with one colour scale."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from mitool.report.figures import TEMPLATE, label

MOST_CELLS = 256
"""Rows and columns that are drawn; of more, every second, or every third, and so on."""

MOST_COLUMNS = 3
"""Panels side by side."""

PANELS_WIDTH, PANELS_TOP = 760, 84
"""Pixels of all panels of a row, and above the first row: its names and the figure's title."""

SHORT_UNIT = 12
"""Letters that fit above the scale of colours."""

MOST_TICKS = 24
"""Named rows or columns, of which all are named on the axis."""

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
    """One heatmap of ``values`` [y, x].

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
    plot.update_xaxes(title_text=label(x_title), showgrid=False, tickvals=_ticks(x))
    plot.update_yaxes(title_text=label(y_title), showgrid=False, tickvals=_ticks(y))
    return plot


def heatmap_panels(
    panels: Mapping[str, Tensor], x_title: str, y_title: str, unit: str, *, diverging: bool = False
) -> go.Figure:
    """Heatmaps of one size side by side, each named, with one colour scale."""
    n_columns = 2 if len(panels) == 4 else min(len(panels), MOST_COLUMNS)
    n_rows = math.ceil(len(panels) / n_columns)
    side = PANELS_WIDTH / max(n_columns, 2)
    plot = make_subplots(
        n_rows,
        n_columns,
        subplot_titles=[label(name) for name in panels],
        horizontal_spacing=0.09 if n_columns > 1 else 0,
        vertical_spacing=0.2 / n_rows if n_rows > 1 else 0,
    )
    plot.update_layout(
        template=TEMPLATE,
        height=round(side * n_rows + PANELS_TOP + 60),
        margin_t=PANELS_TOP,
        coloraxis={"colorscale": _scale(diverging), "colorbar": _bar(unit)},
    )
    if diverging:
        plot.update_layout(coloraxis_cmid=0)
    for index, values in enumerate(panels.values()):
        row, column = divmod(index, n_columns)
        plot.add_trace(_trace(values).update(coloraxis="coloraxis"), row + 1, column + 1)
        if index + n_columns >= len(panels):
            plot.update_xaxes(title_text=label(x_title), row=row + 1, col=column + 1)
        if column == 0:
            plot.update_yaxes(title_text=label(y_title), row=row + 1, col=1)
    plot.update_xaxes(showgrid=False)
    plot.update_yaxes(showgrid=False)
    return plot


def thinning(values: Tensor) -> str:
    """What a caption says of rows and columns that are left out."""
    step = math.ceil(max(values.shape) / MOST_CELLS)
    return f" One row and column of every {step} are drawn." if step > 1 else ""


def _trace(values: Tensor, x: Labels = None, y: Labels = None) -> go.Heatmap:
    columns, rows = (
        range(0, size, math.ceil(size / MOST_CELLS)) for size in reversed(values.shape)
    )
    cells = values[list(rows)][:, list(columns)].float()
    return go.Heatmap(
        z=[[float(f"{value:.4g}") for value in row] for row in cells.tolist()],
        x=_places(x, columns),
        y=_places(y, rows),
        hovertemplate="%{x}, %{y}: %{z:.4g}<extra></extra>",
    )


def _places(names: Labels, chosen: range) -> list[int | str]:
    if names is None:
        return list(chosen)
    return [
        name if isinstance(name, int) else label(name) for name in map(names.__getitem__, chosen)
    ]


def _ticks(names: Labels) -> list[str] | None:
    """The names that an axis shows; of many a few, at even steps, which of a Fourier basis's
    rows are cosines.
    """
    if names is None or len(names) <= MOST_TICKS or isinstance(names[0], int):
        return None
    return [label(name) for name in names[1 :: 2 * math.ceil(len(names) / MOST_TICKS)]]


def _scale(diverging: bool) -> str:
    return DIVERGING if diverging else SEQUENTIAL


def _bar(unit: str) -> dict[str, object]:
    side = "top" if len(unit) <= SHORT_UNIT else "right"
    return {"title": {"text": label(unit), "side": side}, "thickness": 14}
