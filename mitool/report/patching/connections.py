"""Paths and edges: writers against readers, or a bar for each."""

import torch

from mitool.analysis.interventions.graph import Node
from mitool.analysis.patching import PatchResult
from mitool.analysis.patching.effects import largest
from mitool.report.figures import Figure
from mitool.report.grid import Grid, draw_grid
from mitool.report.patching.bars import effect_bars
from mitool.report.patching.shown import hover, limit_of, short_unit, unchanged, values
from mitool.report.patching.summary import ON_CELLS, how, intervals

MOST_BARS, MOST_NODES = 30, 48
"""Bars, and rows or columns of a heatmap; of more, those with the largest effects."""

BETWEEN = {
    "frozen": "stays as it was",
    "mlps": "stays as it was but for MLPs, which are recomputed",
    "recomputed": "is recomputed",
}
DIRECT = (
    " Only the direct connection changes: what lies between writer and reader stays as it was, and "
    "all behind the reader is recomputed."
)


def connection_figures(result: PatchResult) -> list[Figure]:
    """Nothing where only sites were patched."""
    plan, figures = result.plan, []
    if plan.paths:
        between = (
            f" What lies between writer and reader {BETWEEN[plan.between]}; all behind the reader "
            "is recomputed."
        )
        figures.append(_figure(result, "path", [path.source for path in plan.paths], between))
    if plan.edges:
        figures.append(_figure(result, "edge", [edge.source for edge in plan.edges], DIRECT))
    return figures


def _figure(result: PatchResult, kind: str, writers: list[Node], between: str) -> Figure:
    """A heatmap where there are more connections than nodes, so that it is no row or diagonal."""
    names = result.effects[kind].sites
    done = f"{how(result, f'along one {kind} at a time')}{between}"
    if len(names) > len(set(writers)) + len(set(map(_reader, names))):
        whole = _grid(result, kind, writers)
        grid = whole.with_largest(MOST_NODES, MOST_NODES)
        limit, clipped = limit_of(result, [kind], least=0.0)
        note = (
            f"{_blank(result, kind)}{clipped}{_left_out(grid, whole)}{intervals(result, ON_CELLS)}"
        )
        plot = draw_grid(grid, short_unit(result), limit)
        return Figure(f"{kind}s", f"Effects of {kind}s by writer and reader", done + note, plot)
    sites = largest(values(result, kind), MOST_BARS)
    note = f" The {len(sites)} largest of {len(names):,}, of either sign."
    title = f"Effects of {kind}s" if len(names) > 1 else f"Effect of {names[0]}"
    left_out = f": the largest {len(sites)} of {len(names):,}" if len(sites) < len(names) else ""
    return Figure(
        f"{kind}s",
        title + left_out,
        f"{done}{note if len(sites) < len(names) else ''}{intervals(result, 'Lines')}",
        effect_bars(result, [(kind, index) for index in sites]),
    )


def _grid(result: PatchResult, kind: str, writers: list[Node]) -> Grid:
    effects, own = result.effects[kind], values(result, kind)
    rows = {node: row for row, node in enumerate(sorted(set(writers), key=_order))}
    readers = dict.fromkeys(map(_reader, effects.sites))  # stand in the order of the graph
    columns = {name: column for column, name in enumerate(readers)}
    cells = torch.full((len(rows), len(columns)), torch.nan, dtype=own.dtype)
    texts = [["not patched"] * len(columns) for _ in rows]
    for index, (writer, name) in enumerate(zip(writers, effects.sites, strict=True)):
        row, column = rows[writer], columns[_reader(name)]
        texts[row][column] = hover(result, kind, index)
        if effects.changed[index] > 0:
            cells[row, column] = own[index]
    return Grid(cells, "reader", "writer", list(columns), [str(node) for node in rows], texts)


def _blank(result: PatchResult, kind: str) -> str:
    same = f", or {unchanged(result)}" if (result.effects[kind].changed == 0).any() else ""
    return f" Grey cells: no such {kind} was patched{same}."


def _left_out(grid: Grid, whole: Grid) -> str:
    if grid.values.shape == whole.values.shape:
        return ""
    return (
        f" {len(grid.y)} of {len(whole.y)} writers and {len(grid.x)} of {len(whole.x)} readers are "
        "drawn, those with the largest effects."
    )


def _reader(name: str) -> str:
    return name.partition("->")[2]


def _order(node: Node) -> tuple[bool, int, str, int]:
    """By where a node is computed."""
    return node.kind != "input", node.layer, node.kind, node.head
