"""Scores beside what patching does."""

import math

import plotly.graph_objects as go

from mitool.analysis.circuits import CircuitResult
from mitool.analysis.circuits.audit import Audit
from mitool.report.circuits.summary import unit_name, units_of
from mitool.report.figures import BLUE, GREY, Figure, drawable, label, new_plot

FEW = 100
"""Points up to which they are large."""


def audit_figures(result: CircuitResult) -> list[Figure]:
    """Nothing where no unit was patched."""
    audited = result.audit
    if audited is None or not len(audited.units):
        return []
    n, total = len(audited.units), len(result.found.units)
    one, pairs = unit_name(result), result.origin.found_on.groups
    which = f"all {units_of(result, n)}"
    if n < total:
        which = f"{n:,} of {units_of(result, total)}, drawn at random"
    return [
        Figure(
            "audit",
            "Scores beside exact patching",
            f"Each point one of {which}: its score, and what the {result.unit} loses where that "
            f"{one} alone is patched, as a mean over {pairs}. On "
            f"the line the two are equal. {_agreement(result)}",
            _draw(result, audited),
        )
    ]


def _draw(result: CircuitResult, audited: Audit) -> go.Figure:
    plot = new_plot(f"score ({result.unit})", f"by patching ({result.unit})")
    x, y = (part.tolist() for part in (audited.scores, audited.exact))
    known = [value for value in (*x, *y) if math.isfinite(value)]
    ends = [min(known, default=0.0), max(known, default=1.0)]
    plot.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": GREY, "width": 1}, hoverinfo="skip"
    )
    plot.add_scatter(
        x=[drawable(value) for value in x],
        y=[drawable(value) for value in y],
        mode="markers",
        marker={"color": BLUE, "opacity": 0.6, "size": 8 if len(x) <= FEW else 5},
        hovertext=[label(result.found.units.names[unit]) for unit in audited.units.tolist()],
        hovertemplate="%{hovertext}<br>score %{x:.4g}<br>by patching %{y:.4g}<extra></extra>",
    )
    return plot.update_layout(showlegend=False)


def _agreement(result: CircuitResult) -> str:
    names = {
        "audit_pearson": "Pearson correlation",
        "audit_spearman": "Spearman correlation",
        "audit_sign_agreement": "share with the same sign",
    }
    values = {name: result.claims[claim] for claim, name in names.items()}
    known = {k: f"{v:z.3g}" if isinstance(v, float) else "undefined" for k, v in values.items()}
    return f"{', '.join(f'{name} {value}' for name, value in known.items())}."
