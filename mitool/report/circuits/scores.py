"""Scores: the largest, and of edges a table of readers and writers."""

import torch

from mitool.analysis.circuits import CircuitResult
from mitool.analysis.patching.effects import largest
from mitool.report.circuits.bars import Bar, unit_bars
from mitool.report.circuits.summary import of_scores, unit_name
from mitool.report.columns import spans_of
from mitool.report.figures import BLUE, VERMILLION, Figure, label
from mitool.report.grid import Grid, draw_grid

MOST_BARS, MOST_NODES = 30, 48
"""Bars, and rows or columns of the table; of more, those with the largest scores."""

COLORS = {
    (True, True): VERMILLION,
    (False, True): BLUE,
    (True, False): "#F2C4A3",
    (False, False): "#A6CDE5",
}
"""By whether a score is above 0, and whether its unit is in the circuit."""


def score_figures(result: CircuitResult) -> list[Figure]:
    """Nothing where there are no scores."""
    if result.found.scores is None:
        return []
    is_edges = result.found.units.level == "edge"
    return [_bars(result), *([_table(result)] if is_edges else [])]


def _bars(result: CircuitResult) -> Figure:
    found, scores = result.found, result.found.scores
    assert scores is not None
    chosen, bars = largest(scores, MOST_BARS), []
    for rank, unit in enumerate(chosen, 1):
        value, is_in = scores[unit].item(), bool(found.chosen[unit])
        where = "in the circuit" if is_in else "not in the circuit"
        sign = "above 0" if value > 0 else "below 0"
        name = found.units.names[unit]
        hover = f"{label(name)}<br>score {value:z.4g} (no. {rank} of {len(scores):,} by size)"
        color = COLORS[value > 0, is_in]
        bars.append(Bar(name, value, color, f"{sign}, {where}", f"{hover}<br>{where}"))
    n, names = len(chosen), unit_name(result, 2)
    these = f"The {n} largest of {len(scores):,}, of either sign" if n < len(scores) else "All"
    return Figure(
        "scores",
        f"The largest scores of {names}" if n < len(scores) else f"Scores of {names}",
        f"{of_scores(result, f'the {unit_name(result)}')}. {these}; pale: not in the circuit. "
        f"{_scored_on(result)}{spans_of(result.found.units.columns)}",
        unit_bars(bars, f"score ({result.unit})"),
    )


def _table(result: CircuitResult) -> Figure:
    whole = _grid(result)
    grid = whole.with_largest(MOST_NODES, MOST_NODES)
    summed = ", summed over positions" if result.found.units.columns else ""
    less = ""
    if grid.values.shape != whole.values.shape:
        less = (
            f" {len(grid.y)} of {len(whole.y)} writers and {len(grid.x)} of {len(whole.x)} readers "
            "are drawn, those with the largest scores."
        )
    limit = grid.values.abs().nan_to_num(nan=0.0).max().item() or 1.0
    return Figure(
        "score_map",
        "Scores of edges by writer and reader",
        f"{of_scores(result, 'the edge')}{summed}. A cell is the edge from the writer of its row "
        f"to the reader of its column, a head by its queries, keys or values. Grey cells: there is "
        f"no such edge.{less} {_scored_on(result)}",
        draw_grid(grid, "score", limit),
    )


def _grid(result: CircuitResult) -> Grid:
    found, scores = result.found, result.found.scores
    assert scores is not None
    table = found.units.table
    values = found.units.placed(scores).sum(dim=-1).masked_fill(~table.exists, torch.nan)
    is_in = found.circuit.edges.any(dim=-1)
    readers = [f"{node}<{letter}>" if letter else str(node) for node, letter in table.readers]
    writers = [str(node) for node in table.writers]
    texts = [
        [
            _hover(f"{writer}->{reader}", values[column, row].item(), bool(is_in[column, row]))
            for column, reader in enumerate(readers)
        ]
        for row, writer in enumerate(writers)
    ]
    return Grid(values.T, "reader", "writer", readers, writers, texts)


def _hover(name: str, value: float, is_in: bool) -> str:
    if value != value:
        return "no such edge"
    return f"{label(name)}<br>score {value:z.4g}<br>{'' if is_in else 'not '}in the circuit"


def _scored_on(result: CircuitResult) -> str:
    held = ", those that are not held out" if result.origin.is_held_out else ""
    return f"Scored on {result.origin.found_on.groups}{held}."
