"""Tables on terminals of any width: no word of them is cut."""

from collections.abc import Sequence

from rich.console import Console
from rich.measure import Measurement, measure_renderables
from rich.table import Column, Table

ANY_WIDTH = 100_000
"""More columns than any table takes."""


def fitted(table: Table, out: Console) -> Table:
    """The table with columns that the console has room for, none narrower than its longest word;
    where that cannot be, its cells one below the other, each with the heading of its column.
    """
    if not table.show_header:
        return table
    options = out.options.update(max_width=ANY_WIDTH)
    sizes = [_size(column, out) for column in table.columns]
    gaps = Measurement.get(out, options, table).maximum - sum(size.maximum for size in sizes)
    room = out.width - gaps
    if sum(size.maximum for size in sizes) <= room:
        return table
    if sum(size.minimum for size in sizes) > room:
        return _folded(table)
    for column, width in zip(table.columns, _shared(sizes, room), strict=True):
        column.width = width
    return table


def _size(column: Column, out: Console) -> Measurement:
    """The longest word of a column and its longest line."""
    options = out.options.update(max_width=ANY_WIDTH)
    return measure_renderables(out, options, [column.header, *column.cells])


def _shared(sizes: Sequence[Measurement], room: int) -> list[int]:
    """The room, shared so that the column with most lines has as few as can be."""
    widths = [size.minimum for size in sizes]
    for _ in range(room - sum(widths)):
        lines = [size.maximum / width for size, width in zip(sizes, widths, strict=True)]
        widths[lines.index(max(lines))] += 1
    return widths


def _folded(table: Table) -> Table:
    folded = Table(box=None, show_header=False, pad_edge=False)
    folded.add_column(style="cyan", overflow="fold")
    folded.add_column(overflow="fold")
    for row in zip(*(column.cells for column in table.columns), strict=True):
        for column, cell in zip(table.columns, row, strict=True):
            if cell:
                folded.add_row(column.header, cell)
        folded.add_row()
    return folded
