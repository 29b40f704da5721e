"""The clusters of dimensionality, and the polytopes that features form."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from mitool.analysis.superposition import measures
from mitool.analysis.superposition.polytopes import (
    ALONE,
    OTHER,
    POLYTOPES,
    clusters,
    polytopes,
)
from mitool.models.superposition import Autoencoders
from mitool.report.figures import GREY, PALETTE, Figure, label
from mitool.report.heatmaps import put_legend_above
from mitool.report.panels import LEAST_WIDTH, new_panels
from mitool.report.superposition.shown import (
    INVERSE_DENSITY,
    Family,
    chosen,
    inverse_density,
    left_out,
)

MOST = 40
"""Models that are drawn."""

ON_A_LINE = 5
"""Kinds of features that a line of the legend names."""

MOST_TICKS, FEW = 20, 8
"""Bars that are named; and features that are counted one by one."""

ABSENT = "not represented"
NAMES = {p.name: p.name.replace("_", " ") for p in (ALONE, *POLYTOPES)} | {
    OTHER: "other",
    ABSENT: "not represented",
}
COLORS = dict(zip(NAMES, (*PALETTE[:6], GREY, "#E5E7EB"), strict=True))

PANEL = 260
"""Pixels."""


def cluster_figure(family: Family) -> Figure:
    """How many features lie near each polytope's dimensionality, and how many polytopes there
    are.
    """
    shown = chosen(family.models, MOST)
    models = family.models[shown]
    names = ("features by the polytope whose dimensionality is near", "polytopes formed")
    plot = new_panels(names, INVERSE_DENSITY, "", columns=1, height=PANEL)
    near = _near(models)
    _add_bars(plot, 1, near, inverse_density(models))
    formed = _formed(models)
    _add_bars(plot, 2, formed, inverse_density(models), named=near)
    plot.update_layout(barmode="stack", bargap=0.15, meta={"least_width": LEAST_WIDTH})
    ticks = range(0, len(shown), math.ceil(len(shown) / MOST_TICKS))
    names_of_ticks = [_place(inverse_density(models)[index]) for index in ticks]
    plot.update_xaxes(tickvals=[*ticks], ticktext=names_of_ticks, showgrid=False, tickfont_size=11)
    plot.update_yaxes(title_text="features", row=1, col=1)
    plot.update_yaxes(title_text="polytopes", row=2, col=1)
    for row, counts in enumerate((near, formed), start=1):
        if max(map(sum, zip(*counts.values(), strict=True)), default=0) <= FEW:
            plot.update_yaxes(dtick=1, row=row, col=1)
    n_named = sum(bool(bar.showlegend) for bar in plot.data)
    put_legend_above(plot, lines=math.ceil(n_named / ON_A_LINE))
    caption = (
        f"{family.size}, a bar for each model, the densest features on the left. Above: how many "
        "features have a dimensionality near that of a polytope's vertices (within 0.05, and less "
        "than half as far as the next polytope's). Below: how many polytopes they form: features "
        "whose directions interfere (cosine above 0.2, of either sign) and the dimensions that "
        "they span. A dimensionality alone does not make a polytope, so that both can differ."
        f"{left_out(family.models, shown)}"
    )
    title = family.title("Clusters of dimensionality, and polytopes")
    return Figure(family.figure_name("clusters"), title, caption, plot)


def _near(models: Autoencoders) -> dict[str, list[int]]:
    """The features of each model by cluster, in none, and not represented."""
    counts = clusters(models.W)
    is_represented = measures.represented(models.W)
    clustered = [sum(of_model) for of_model in zip(*counts.values(), strict=True)]
    n_represented = is_represented.sum(dim=1).tolist()
    elsewhere = [n - inside for n, inside in zip(n_represented, clustered, strict=True)]
    return counts | {OTHER: elsewhere, ABSENT: (~is_represented).sum(dim=1).tolist()}


def _formed(models: Autoencoders) -> dict[str, list[int]]:
    formed = [polytopes(W) for W in models.W]
    return {name: [of_model[name] for of_model in formed] for name in NAMES if name != ABSENT}


def _add_bars(
    plot: go.Figure,
    row: int,
    counts: Mapping[str, Sequence[int]],
    places: Sequence[float | None],
    named: Mapping[str, Sequence[int]] | None = None,
) -> None:
    """Stacked bars of each count that is not 0 throughout.

    Args:
        named: counts that the legend has already.
    """
    for rank, name in enumerate(NAMES):
        if any(values := counts.get(name, ())):
            plot.add_bar(
                x=[*range(len(values))],
                y=[*values],
                name=label(NAMES[name]),
                legendgroup=name,
                legendrank=rank + 1,
                showlegend=not any((named or {}).get(name, ())),
                marker={"color": COLORS[name], "line_width": 0},
                customdata=[_place(place) for place in places],
                hovertemplate=f"1/(1 - S) = %{{customdata}}: %{{y:,}} {NAMES[name]}<extra></extra>",
                row=row,
                col=1,
            )


def _place(inverse_density: float | None) -> str:
    return "undefined" if inverse_density is None else f"{inverse_density:z.3g}"
