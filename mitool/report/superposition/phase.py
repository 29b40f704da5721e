"""What becomes of an extra feature: as trained, and by the closed form."""

import itertools
import math
from collections.abc import Sequence

import plotly.graph_objects as go
from torch import Tensor

from mitool.analysis.superposition import SuperpositionResult
from mitool.analysis.superposition.experiments.phase import Diagram
from mitool.analysis.superposition.phases import PHASES
from mitool.core.numerals import share
from mitool.report.figures import BLACK, BLUE, ORANGE, Figure, log_ticks
from mitool.report.heatmaps import kind_panels
from mitool.report.superposition.shown import DENSITY, Family, families_of

COLORS: dict[str, str] = dict(zip(PHASES, ("#E5E7EB", BLUE, ORANGE), strict=True))

LONE = 0.1
"""Half the width in decades of a cell that has none beside it."""


def phase_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """The two diagrams of each family."""
    return tuple(map(_diagrams, families_of(result.families)))


def _diagrams(family: Family) -> Figure:
    diagram = Diagram.of(family.studied)
    rows, columns = (_order(values) for values in (diagram.density, diagram.importance))
    x = edges([diagram.importance[column] for column in columns])
    y = edges([diagram.density[row] for row in rows])
    found, predicted = (of[rows][:, columns] for of in (diagram.found, diagram.predicted))
    plot = kind_panels(
        {"trained": found, "closed form": predicted},
        COLORS,
        "relative importance",
        DENSITY,
        x=x,
        y=y,
        hover=[[_hover(diagram, row, column) for column in columns] for row in rows],
    )
    _add_boundary(plot, predicted, x, y)
    plot.update_xaxes(range=[math.log10(x[0]), math.log10(x[-1])], **log_ticks(x))
    plot.update_yaxes(range=[math.log10(y[0]), math.log10(y[-1])], **log_ticks(y))
    plot.update_xaxes(type="log", title_font_size=13).update_yaxes(type="log")
    title = family.title("Phases of an extra feature")
    return Figure(family.figure_name("phases"), title, _caption(family, diagram), plot)


def _caption(family: Family, diagram: Diagram) -> str:
    inside = diagram.agreement(diagram.inside)
    agreement = diagram.agreement()
    assert agreement is not None, "a diagram has cells"
    away = ""
    if inside is not None:
        away = f", and in {share(inside, 1)} of those that do not touch the line"
    n = family.models.cfg.n_features - 1
    others = "the other feature has" if n == 1 else f"the {n} other features have"
    return (
        f"{family.size}: a cell is a model, by the importance of its last feature ({others} "
        "importance 1) and the density 1 - S of all features, both on log axes, the densest at the "
        "top. Left: what the trained model does with that feature: nothing (norm up to 0.5), a "
        "dimension of its own, or superposition (interference above 0.25). Right: which way of "
        "storing the features has the least loss by the closed form; the black line is where that "
        f"changes, in both panels. They agree in {share(agreement, 1)} of the cells{away}."
    )


def edges(values: Sequence[float]) -> list[float]:
    """Where cells around ascending values end on a log axis; like values share one cell's room."""
    distinct = sorted({math.log10(max(value, 1e-12)) for value in values})
    middles = [(a + b) / 2 for a, b in itertools.pairwise(distinct)]
    before = middles[0] - distinct[0] if middles else LONE
    after = distinct[-1] - middles[-1] if middles else LONE
    ends = [distinct[0] - before, *middles, distinct[-1] + after]
    counts = [sum(math.log10(max(value, 1e-12)) == place for value in values) for place in distinct]
    parts = [
        low + (high - low) * part / count
        for (low, high), count in zip(itertools.pairwise(ends), counts, strict=True)
        for part in range(count)
    ]
    return [float(f"{10**part:z.8g}") for part in (*parts, ends[-1])]


def _order(values: Sequence[float]) -> list[int]:
    return sorted(range(len(values)), key=lambda index: values[index])


def _hover(diagram: Diagram, row: int, column: int) -> str:
    found, predicted = (PHASES[of[row, column]] for of in (diagram.found, diagram.predicted))
    at = f"importance {diagram.importance[column]:z.3g}, 1 - S = {diagram.density[row]:z.3g}"
    return f"{at}<br>trained: {found}<br>closed form: {predicted}"


def _add_boundary(plot: go.Figure, phases: Tensor, x: Sequence[float], y: Sequence[float]) -> None:
    """A line in both panels along the cells where the closed form's phase changes."""
    across = (phases[:, 1:] != phases[:, :-1]).nonzero().tolist()
    up = (phases[1:] != phases[:-1]).nonzero().tolist()
    lines = [((x[j + 1], y[i]), (x[j + 1], y[i + 1])) for i, j in across]
    lines += [((x[j], y[i + 1]), (x[j + 1], y[i + 1])) for i, j in up]
    for column in (1, 2):
        plot.add_scatter(
            x=[value for a, b in lines for value in (a[0], b[0], None)],
            y=[value for a, b in lines for value in (a[1], b[1], None)],
            mode="lines",
            line={"color": BLACK, "width": 1.5},
            name="boundary by the closed form",
            showlegend=column == 1 and bool(lines),
            hoverinfo="skip",
            row=1,
            col=column,
        )
