"""The polygons that features form in a plane, by the sparsity of the features."""

from torch import Tensor

from mitool.analysis.superposition import SuperpositionResult
from mitool.report.figures import BLUE, Figure
from mitool.report.heatmaps import put_legend_above
from mitool.report.shades import SHADES, shades
from mitool.report.superposition.plane import HOW, Plane, plane_panels
from mitool.report.superposition.shown import (
    Family,
    chosen,
    families_of,
    left_out,
    model_name,
)

MOST = 20
"""Models that are drawn."""


def polygon_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """The directions of each family's features, one panel for each model."""
    return tuple(map(_polygons, families_of(result.families)))


def _polygons(family: Family) -> Figure:
    models, drawn = family.models, chosen(family.models, MOST)
    importance = models.importance[drawn]
    low, high = importance.min().item(), importance.max().item()
    planes = [
        Plane(
            model_name(models, index),
            models.W[index],
            _colors(models.importance[index], low, high),
            [f", importance {value:z.3g}" for value in models.importance[index].tolist()],
        )
        for index in drawn
    ]
    plot = plane_panels(planes)
    color = " All features are of the same importance."
    if high > low:
        color = " Colours are the features' importance, the darkest the most important."
        bar = {"title": {"text": "importance", "side": "top"}, "thickness": 14}
        plot.update_layout(coloraxis={"cmin": low, "cmax": high, "colorscale": SHADES})
        plot.update_layout(coloraxis_colorbar=bar)
        scale = {"color": [low], "coloraxis": "coloraxis"}
        plot.add_scatter(x=[None], y=[None], mode="markers", marker=scale, showlegend=False)
    put_legend_above(plot)
    caption = (
        f"{family.size}, one panel for each model, from the densest features to the sparsest "
        f"(1 - S is how often a feature is not 0). {HOW}{color}{left_out(models, drawn)}"
    )
    return Figure(
        family.figure_name("polygons"),
        family.title("Features in the plane of the hidden layer"),
        caption,
        plot,
    )


def _colors(importance: Tensor, low: float, high: float) -> list[str]:
    return shades(importance, low, high) if high > low else [BLUE] * len(importance)
