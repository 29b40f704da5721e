"""Where features that come together, or never do, have their directions."""

from collections.abc import Sequence

from mitool.analysis.superposition import SuperpositionResult
from mitool.report.figures import PALETTE, Figure, label
from mitool.report.heatmaps import add_kinds, put_legend_above
from mitool.report.superposition.plane import HOW, MARKER, Plane, plane_panels
from mitool.report.superposition.shown import Family, chosen, families_of, left_out, model_name

MOST = 5
"""Models of a family that are drawn, side by side."""

BESIDE = 18
"""Letters of a family's name that have room beside a row of panels."""

MEANING = {
    "none": "comes or not by itself",
    "correlated": "comes with those of its set or not at all",
    "anticorrelated": "never comes with others of its set",
}
"""What a feature does, by the correlation."""


def correlation_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """The directions of all families' features, a row of panels for each family."""
    families = [*families_of(result.families)]
    n_columns = min(MOST, *(len(family.models) for family in families))
    planes = [
        plane for family in families for plane in _row(family, chosen(family.models, n_columns))
    ]
    plot = plane_panels(planes, columns=n_columns)
    for row, family in enumerate(families, start=1):
        plot.update_yaxes(title_text=label(family.name, BESIDE), row=row, col=1)
    plot.update_yaxes(title_font_size=14)
    add_kinds(plot, _sets(families), size=MARKER)
    put_legend_above(plot)
    kinds = "; ".join(
        f"{family.name or 'these'}: a feature {MEANING[family.models.cfg.correlation]}"
        for family in families
    )
    first = families[0].models
    caption = (
        f"A row of panels for each family of models ({kinds}), from the densest features to the "
        f"sparsest. {HOW} Features of one colour are of one set."
        f"{left_out(first, chosen(first, n_columns))}"
    )
    title = "Directions of correlated and anticorrelated features"
    return (Figure("correlation", title, caption, plot),)


def _row(family: Family, drawn: Sequence[int]) -> list[Plane]:
    models = family.models
    size, n = models.cfg.set_size, models.cfg.n_features
    colors = [PALETTE[i // size % len(PALETTE)] for i in range(n)]
    about = [f", set {i // size}" for i in range(n)]
    return [Plane(model_name(models, i), models.W[i], colors, about) for i in drawn]


def _sets(families: Sequence[Family]) -> dict[str, str]:
    """What colours stand for, where each stands for one set in all families."""
    shapes = {(f.models.cfg.n_features, f.models.cfg.set_size) for f in families}
    n, size = max(shapes)
    if len(shapes) > 1 or n // size > len(PALETTE):
        return {}
    ends = [(first, first + size - 1) for first in range(0, n, size)]
    names = (
        f"feature {a}" if a == b else f"features {a} {'and' if b == a + 1 else 'to'} {b}"
        for a, b in ends
    )
    return dict(zip(names, PALETTE, strict=False))
