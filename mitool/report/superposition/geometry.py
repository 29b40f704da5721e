"""How many dimensions a feature has, over sparsity."""

import plotly.graph_objects as go

from mitool.analysis.superposition import SuperpositionResult, measures
from mitool.report.figures import (
    GREY,
    MAX_LEGEND,
    Figure,
    add_line,
    fit_legend,
    label,
    line_style,
    log_ticks,
    new_plot,
)
from mitool.report.superposition.shown import (
    INVERSE_DENSITY,
    Family,
    by_density,
    families_of,
    inverse_density,
)

PLATEAUS = {"1: a dimension of its own": 1.0, "1/2: two share a dimension": 0.5}


def geometry_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """Dimensions per feature of every model, a line for each family."""
    families = [f for f in families_of(result.families) if f.models.cfg.is_tied]
    plot = new_plot(INVERSE_DENSITY, "dimensions per feature D* = m/‖W‖²")
    for index, family in enumerate(families):
        add_star_line(plot, family, family.name or "D*", **line_style(index))
    fit_legend(plot)
    places = [x for f in families for x in inverse_density(f.models) if x is not None]
    plot.update_xaxes(type="log", **log_ticks(places))
    plot.update_yaxes(rangemode="tozero")
    plot.update_layout(showlegend=1 < len(families) <= MAX_LEGEND)
    for name, value in PLATEAUS.items():
        add_level(plot, value, name)
    sizes = ", ".join(dict.fromkeys(family.size for family in families))
    caption = (
        f"Dimensions per feature, D* = m/‖W‖² (m hidden dimensions, and the squared Frobenius norm "
        f"of W, which counts the features that are represented), of models of {sizes}, over "
        "1/(1 - S) on a log axis: dense features on the left, sparse ones on the right. Where D* "
        "stays at a dashed line while sparsity grows, the models keep to one way of storing "
        "features: each in a dimension of its own (1), or in pairs of opposite directions (1/2)."
    )
    if not families:
        return ()
    return (Figure("dimensions_per_feature", "Dimensions per feature", caption, plot),)


def add_star_line(plot: go.Figure, family: Family, name: str, **style: object) -> None:
    """``D*`` of the family's models; only points where several have the same sparsity."""
    order, x = by_density(family.models), inverse_density(family.models)
    stars = measures.dimensions_per_feature(family.models.W).tolist()
    places = [x[index] for index in order]
    known = [(place, stars[i]) for place, i in zip(places, order, strict=True) if place is not None]
    add_line(plot, name, [place for place, _ in known], [star for _, star in known], **style)
    alike = len(set(places)) < len(places)
    plot.data[-1].update(mode="markers" if alike else "lines+markers")
    plot.data[-1].update(hovertemplate="1/(1 - S) = %{x:.4g}: D* = %{y:.4g}")


def add_level(plot: go.Figure, value: float, name: str, *, below: bool = False) -> None:
    """A dashed line across the plot, named at its right end."""
    line = {"color": GREY, "width": 1.2, "dash": "dash"}
    plot.add_shape(type="line", x0=0, x1=1, xref="paper", y0=value, y1=value, line=line)
    plot.add_annotation(
        x=1,
        xref="paper",
        y=value,
        text=label(name),
        showarrow=False,
        xanchor="right",
        bgcolor="rgba(255, 255, 255, 0.6)",
        yanchor="top" if below else "bottom",
        font={"size": 12, "color": "#374151"},
    )
