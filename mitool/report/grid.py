"""Heatmaps of effects or scores, coloured around 0, and what is said of a cell pointed at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.patching.effects import largest
from mitool.report.heatmaps import MAX_NAME, drawn, heatmap, write_numbers
from mitool.report.panels import WIDTH

LETTER = 7.5
"""Pixels of a letter of a label."""

AROUND = 150
"""Pixels above and below the cells."""

ROW_HEIGHTS = {8: 40, 16: 28, 48: 18, 128: 12}
"""Pixels of a row, by how many rows there are at most; of more, a smaller one."""
LEAST_ROW, LEAST_HEIGHT = 8, 100


BLANK = "#D4D4D4"
"""What shows where nothing is drawn: a grey apart from the near-white of no effect."""


@dataclass(frozen=True)
class Grid:
    """Cells that a heatmap draws.

    Attributes:
        values: NaN is left blank.
        x: names of the columns.
        y: names of the rows, of which the first is at the top.
        hover: what is said of a cell, as plotly's HTML: [row][column].
    """

    values: Float[Tensor, "y x"]
    x_title: str
    y_title: str
    x: Sequence[str]
    y: Sequence[str]
    hover: Sequence[Sequence[str]]

    def with_largest(self, n_rows: int, n_columns: int) -> "Grid":
        """Less the rows and columns, beyond so many, whose largest value is smallest."""
        size = self.values.abs().nan_to_num(nan=-1.0)
        rows = sorted(largest(size.amax(dim=1), n_rows))
        columns = sorted(largest(size.amax(dim=0), n_columns))
        return replace(
            self,
            values=self.values[rows][:, columns],
            x=[self.x[column] for column in columns],
            y=[self.y[row] for row in rows],
            hover=[[self.hover[row][column] for column in columns] for row in rows],
        )


def draw_grid(grid: Grid, unit: str, limit: float) -> go.Figure:
    """The heatmap, its colours from ``-limit`` to ``limit``."""
    rows, columns = drawn(grid.values)
    plot = heatmap(
        grid.values,
        grid.x_title,
        grid.y_title,
        unit,
        diverging=True,
        x=grid.x,
        y=grid.y,
        height=AROUND + _height(len(rows)) + _slanted(grid.x, len(columns)),
    )
    plot.update_traces(
        zmin=-limit,
        zmax=limit,
        hovertext=[[grid.hover[row][column] for column in columns] for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    write_numbers(plot)
    plot.update_layout(plot_bgcolor=BLANK)
    plot.update_xaxes(tickfont_size=12)
    return plot.update_yaxes(autorange="reversed", tickfont_size=12)


def _height(n_rows: int) -> int:
    fitting = (height for most, height in ROW_HEIGHTS.items() if n_rows <= most)
    return max(LEAST_HEIGHT, n_rows * next(fitting, LEAST_ROW))


def _slanted(names: Sequence[str], n_columns: int) -> int:
    """Pixels for labels that do not fit below their columns and so are slanted."""
    longest = max(min(len(name), MAX_NAME) for name in names)
    return round(longest * LETTER) if longest * LETTER > WIDTH / n_columns else 0
