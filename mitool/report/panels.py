"""Panels of one size side by side, each named."""

import math
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mitool.report.figures import TEMPLATE, label

MOST_COLUMNS, MANY, MORE_COLUMNS = 3, 6, 4
"""Panels side by side, up to so many of them, and side by side of more."""

WIDTH, TOP, BOTTOM = 760, 84, 60
"""Pixels of all panels of a row, and above the first and below the last row."""

GAP, LABELLED_GAP = 38, 84
"""Pixels between two rows of panels whose axes are labelled at the edge only, and of those whose
axes have labels that may be long."""

LEAST_WIDTH = 640
"""Pixels that many panels side by side cannot do without; a page scrolls them if it has less."""

SHARED_SPACING, SPACING, ALL_SPACING = 0.03, 0.09, 0.27
"""Between two columns, and between all of many, as shares of the width."""


def new_panels(
    names: Sequence[str],
    x_title: str,
    y_title: str,
    *,
    height: float | None = None,
    shared: bool = False,
    long_labels: bool = False,
    columns: int | None = None,
) -> go.Figure:
    """Empty panels, each with its name.

    Args:
        names: of one or two lines.
        height: pixels of a panel; about as high as wide if left out.
        shared: the axes have the same labels in all panels, which stand at the edge only.
        long_labels: below each panel there is room for labels that are words.
        columns: how many panels stand side by side; as many as have room if left out. One above
            the other they keep their height in a narrow window.
    """
    n_columns = columns or columns_of(len(names), shared=shared)
    n_rows = math.ceil(len(names) / n_columns)
    side = WIDTH / max(n_columns, 2) if height is None else height
    between = LABELLED_GAP if long_labels else GAP if shared else 0
    area = side * n_rows + between * (n_rows - 1)
    gap = between / area if between else 0.2 / n_rows
    spacing = SHARED_SPACING if shared else min(SPACING, ALL_SPACING / n_columns)
    plot = make_subplots(
        n_rows,
        n_columns,
        subplot_titles=[label(name).replace("\n", "<br>") for name in names],
        horizontal_spacing=spacing if n_columns > 1 else 0,
        vertical_spacing=gap if n_rows > 1 else 0,
    )
    plot.update_annotations(font_size=14)
    plot.update_layout(template=TEMPLATE, height=round(area + TOP + BOTTOM), margin_t=TOP)
    _title_axes(plot, places(len(names), columns=n_columns), x_title, y_title, shared=shared)
    if columns == 1:
        plot.update_layout(meta={"keeps_height": True})
    if n_columns > MORE_COLUMNS:
        plot.update_layout(meta={"least_width": LEAST_WIDTH})
    if shared:
        plot.update_xaxes(title_font_size=12)
        plot.update_yaxes(title_font_size=12)
    return plot


def _title_axes(
    plot: go.Figure, at: Sequence[tuple[int, int]], x_title: str, y_title: str, *, shared: bool
) -> None:
    """Name the axes at the edge, and where all panels share them label them there only."""
    lowest = {column: row for row, column in at}
    for row, column in at:
        if row == lowest[column]:
            plot.update_xaxes(title_text=label(x_title), row=row, col=column)
        elif shared:
            plot.update_xaxes(showticklabels=False, row=row, col=column)
        if column == 1:
            plot.update_yaxes(title_text=label(y_title), row=row, col=column)
        elif shared:
            plot.update_yaxes(showticklabels=False, row=row, col=column)


def share_x(plot: go.Figure) -> go.Figure:
    """Make all panels show the same stretch of x, whichever of them is zoomed."""
    for axis in [*plot.select_xaxes()][1:]:
        axis.matches = "x"
    return plot


def places(
    n_panels: int, *, shared: bool = False, columns: int | None = None
) -> list[tuple[int, int]]:
    """(row, column) of each panel, from 1."""
    n_columns = columns or columns_of(n_panels, shared=shared)
    return [(i // n_columns + 1, i % n_columns + 1) for i in range(n_panels)]


def columns_of(n_panels: int, *, shared: bool) -> int:
    """How many of the panels stand side by side."""
    if n_panels == 4:
        return 2
    most = MORE_COLUMNS if shared and n_panels > MANY else MOST_COLUMNS
    return min(n_panels, most)
