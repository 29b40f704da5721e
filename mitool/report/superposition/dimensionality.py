"""The share of a dimension that each feature has, over sparsity."""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import plotly.graph_objects as go
from torch import Tensor

from mitool.analysis.superposition import SuperpositionResult, measures
from mitool.analysis.superposition.polytopes import ALONE, POLYTOPES, Polytope
from mitool.report.figures import BLACK, BLUE, Figure, log_ticks, new_plot
from mitool.report.superposition.clusters import cluster_figure
from mitool.report.superposition.geometry import add_level, add_star_line
from mitool.report.superposition.shown import (
    INVERSE_DENSITY,
    UNREPRESENTED,
    Family,
    digits,
    families_of,
    inverse_density,
)

MOST_POINTS = 8000
"""Of more, one of every two features is drawn, or of every three, and so on."""

GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, less their whole parts, spread evenly however many there are."""

SPREAD, LONE_SPREAD = 0.5, 0.1
"""How wide a model's features are spread: of the way to the next model's, or in decades."""

ROOM = 0.3
"""Of the axis, to the right of the points, for the names of polytopes."""

HEIGHT = 640

HIGHEST = 1.6
"""Where the axis ends at most, so that the names of polytopes stay apart: no feature is above 1."""


def dimensionality_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """Of each family the dimensionality of its features, and the clusters that these form."""
    return tuple(
        figure
        for family in families_of(result.families)
        if family.models.cfg.is_tied
        for figure in (_scatter(family), cluster_figure(family))
    )


def _scatter(family: Family) -> Figure:
    models = family.models
    n_points = models.W.shape[0] * models.cfg.n_features
    features = range(0, models.cfg.n_features, math.ceil(n_points / MOST_POINTS))
    plot = new_plot(INVERSE_DENSITY, "dimensionality D_i of a feature")
    _add_points(plot, family, features)
    add_star_line(plot, family, "D*, of the model", color=BLACK)
    for polytope in (ALONE, *POLYTOPES):
        # the two lowest are too near each other to be named on the same side
        add_level(plot, polytope.dimensionality, _name(polytope), below=polytope is POLYTOPES[-1])
    _set_axis(plot, [place for place in inverse_density(models) if place])
    highest = max((y for line in plot.data for y in line.y if y is not None), default=1.0)
    plot.update_yaxes(range=[0, min(1.05 * max(highest, 1.0), HIGHEST)])
    cut = f" D* above {HIGHEST} is not shown." if highest > HIGHEST else ""
    above = {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "itemsizing": "constant"}
    plot.update_layout(height=HEIGHT, legend=above, margin_t=84)
    thinned = f" One of every {features.step} features is drawn." if features.step > 1 else ""
    caption = (
        f"{family.size}. A point is a feature of a model: its dimensionality, D_i = ‖W_i‖² / sum "
        "over j of (Ŵ_i · W_j)², is the share of a dimension that it has for itself; grey are "
        "those that are not represented (norm up to 0.5). The points of a model are spread "
        "sideways so as not to hide one another. Black: dimensions per feature D* of the model. "
        "Dashed: where features lie that are the vertices of a uniform polytope, its dimensions "
        f"over its vertices.{cut}{thinned}"
    )
    title = family.title("Dimensionality of every feature")
    return Figure(family.figure_name("dimensionality"), title, caption, plot)


def _set_axis(plot: go.Figure, places: Sequence[float]) -> None:
    """A log axis over the places, with room for names to their right."""
    logs = [math.log10(place) for place in places]
    first, last = min(logs, default=0.0), max(logs, default=0.0)
    width = max(last - first, 0.5)
    ends = [first - 0.05 * width, last + ROOM * width]
    plot.update_xaxes(type="log", range=ends, **log_ticks(places))


def _add_points(plot: go.Figure, family: Family, features: Sequence[int]) -> None:
    models = family.models
    x = _spread(inverse_density(models), features)
    found = measures.dimensionality(models.W)[:, list(features)]
    is_represented = measures.represented(models.W)[:, list(features)]
    sparsity = models.sparsity
    for name, chosen, color in (
        ("represented feature", is_represented, BLUE),
        ("not represented", ~is_represented, UNREPRESENTED),
    ):
        at = [(i, j) for i, j in chosen.nonzero().tolist() if x[i]]
        plot.add_scatter(
            x=[x[i][j] for i, j in at],
            y=digits(_at(found, at)),
            name=name,
            mode="markers",
            marker={"color": color, "size": 4, "opacity": 0.6},
            text=[f"feature {features[j]} at 1 - S = {1 - sparsity[i]:z.3g}" for i, j in at],
            hovertemplate="%{text}: D_i = %{y:.4g}<extra></extra>",
        )


def _at(values: Tensor, places: Sequence[tuple[int, int]]) -> Tensor:
    rows, columns = [i for i, _ in places], [j for _, j in places]
    return values[rows, columns]


def _spread(places: Sequence[float | None], features: Sequence[int]) -> list[list[float]]:
    """Where each feature of each model stands; nowhere where a model has no place."""
    logs = sorted({math.log10(place) for place in places if place})
    gaps = [after - before for before, after in itertools.pairwise(logs)]
    width = SPREAD * min([g for g in gaps if g > 1e-6], default=LONE_SPREAD)
    shifts = [10 ** (width * (i * GOLDEN % 1 - 0.5)) for i in range(len(features))]
    return [[float(f"{p * s:z.5g}") for s in shifts] if p else [] for p in places]


def _name(polytope: Polytope) -> str:
    share = Fraction(polytope.n_dimensions, polytope.n_vertices)
    return f"{polytope.name.replace('_', ' ')} {share}"
