"""Plots that several parts of the analysis share: two-dimensional spectra, singular values."""

import math
from collections.abc import Sequence

import plotly.graph_objects as go
from torch import Tensor

from mitool.analysis.fourier.basis import row_name
from mitool.analysis.fourier.form import CyclicForm
from mitool.report.figures import BLACK, add_line, new_plot
from mitool.report.heatmaps import heatmap

MOST_TICKS = 24
"""Rows of a basis, of which all are named on the axis."""


def grid_spectrum_plot(norms: Tensor, unit: str) -> go.Figure:
    """The size of each product of a function of a and one of b; the constant is left out."""
    shown = norms.clone()
    shown[0, 0] = 0  # it would drown the rest
    names = [row_name(row) for row in range(len(norms))]
    plot = heatmap(shown, "function of b", "function of a", unit, x=names, y=names, height=640)
    plot.update_xaxes(tickvals=cosines(names))
    return plot.update_yaxes(tickvals=cosines(names))


def operand_axis(form: CyclicForm, name: str = "operand") -> str:
    """The axis of operands, in the order in which they are analysed."""
    return f"log {name}" if "log" in form.difference else name


def cosines(rows: Sequence[str]) -> list[str] | None:
    """The rows of a basis that an axis names: of many, some of the cosines."""
    if len(rows) <= MOST_TICKS:
        return None
    return list(rows[1 :: 2 * math.ceil(len(rows) / MOST_TICKS)])


def singular_values_plot(values: Tensor, name: str) -> go.Figure:
    """The singular values of a matrix, largest first."""
    plot = new_plot("singular direction", f"singular value of {name}")
    add_line(plot, name, range(len(values)), values.tolist(), color=BLACK)
    plot.update_traces(mode="lines+markers")
    return plot
