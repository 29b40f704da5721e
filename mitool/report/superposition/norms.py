"""The norms of features, how much of them is superposed, and what that does to the outputs."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots
from torch import Tensor

from mitool.analysis.superposition import SuperpositionResult, measures
from mitool.report.figures import TEMPLATE, Figure
from mitool.report.heatmaps import DIVERGING, SEQUENTIAL, cells, drawn, thinning
from mitool.report.panels import BOTTOM, LEAST_WIDTH, TOP
from mitool.report.superposition.shown import Family, chosen, digits, families_of, left_out
from mitool.report.superposition.shown import model_name as name_of

MOST = 5
"""Models of a family that are drawn."""

ROW, HIGH_ROW, LONE_ROW, MANY, GAP = 190, 250, 340, 40, 46
"""Pixels of a row, of one of many features, of one alone; how many those are; and between rows."""

FEW = 10
"""Features of which each has a tick."""

WIDTHS = (0.52, 0.4, 0.08)
"""Shares of the bars, the heatmap and the biases."""

HOW = (
    "Left: the norm of each feature's direction W_i, dotted where a feature begins to be "
    "represented (0.5); its colour is its superposition, the sum over the others of (Ŵ_i · W_j)², "
    "where 0 is a dimension of its own and 1 or more is a direction that is shared throughout. "
    "Middle: Wᵀ W, which without its diagonal is how features interfere. Right: the bias b of the "
    "outputs. Red is above 0 and blue below it, and the colours end at -1 and 1."
)


def norm_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """A figure for each family whose features have one direction each."""
    families = families_of(result.families)
    return tuple(_norms(family) for family in families if family.models.cfg.is_tied)


def _norms(family: Family) -> Figure:
    models, shown = family.models, chosen(family.models, MOST)
    plot = _grid([name_of(models, index) for index in shown], models.cfg.n_features)
    for row, index in enumerate(shown, start=1):
        _draw_row(plot, row, models.W[index], models.b[index])
    _set_axes(plot, models.cfg.n_features, len(shown))
    product = models.W[0].mT @ models.W[0]
    caption = (
        f"{family.size}, a row for each model, from the densest features to the sparsest. {HOW}"
        f"{left_out(models, shown)}{thinning(product)}"
    )
    title = family.title("Norms of features, and their superposition")
    return Figure(family.figure_name("norms"), title, caption, plot)


def _grid(names: Sequence[str], n_features: int) -> go.Figure:
    """Rows of three empty panels."""
    height = LONE_ROW if len(names) == 1 else HIGH_ROW if n_features > MANY else ROW
    area = height * len(names) + GAP * (len(names) - 1)
    titles = [title for name in names for title in (name, "Wᵀ W", "b")]
    plot = make_subplots(
        len(names),
        len(WIDTHS),
        column_widths=WIDTHS,
        subplot_titles=titles,
        shared_yaxes=True,
        horizontal_spacing=0.025,
        vertical_spacing=GAP / area if len(names) > 1 else 0,
    )
    plot.update_annotations(font_size=14)
    plot.update_layout(template=TEMPLATE, height=area + TOP + BOTTOM, margin_t=TOP, bargap=0)
    plot.update_layout(meta={"least_width": LEAST_WIDTH})
    superposition = {"title": {"text": "super-<br>position", "side": "top"}, "thickness": 12}
    both = {"title": {"text": "Wᵀ W, b", "side": "top"}, "thickness": 12}
    plot.update_layout(
        coloraxis={"colorscale": SEQUENTIAL, "cmin": 0, "cmax": 1},
        coloraxis_colorbar=superposition | {"y": 0.78, "len": 0.48},
        coloraxis2={"colorscale": DIVERGING, "cmin": -1, "cmax": 1},
        coloraxis2_colorbar=both | {"y": 0.22, "len": 0.48},
    )
    # draws the scale of the bars, and nothing else
    scale = {"color": [0], "coloraxis": "coloraxis"}
    plot.add_scatter(x=[None], y=[None], mode="markers", marker=scale, showlegend=False)
    return plot


def _colors(superposition: Sequence[float]) -> list[str]:
    """The colours of the scale: plotly warns of every bar whose colour is a number."""
    within = [min(max(value, 0.0), 1.0) for value in superposition]
    colors: list[str] = sample_colorscale(SEQUENTIAL, within)
    return colors


def _draw_row(plot: go.Figure, row: int, W: Tensor, b: Tensor) -> None:
    product = W.mT @ W
    features = list(drawn(product)[0])
    norms = digits(measures.norms(W[None])[0, features])
    superposition = digits(measures.interference(W[None])[0, features])
    step = features[1] - features[0] if len(features) > 1 else 1
    plot.add_bar(
        orientation="h",
        x=norms,
        y=features,
        width=step * (0.8 if len(features) <= MANY else 1),
        marker={"color": _colors(superposition), "line_width": 0},
        customdata=superposition,
        hovertemplate="feature %{y}: norm %{x:.4g}, superposition %{customdata:.4g}<extra></extra>",
        showlegend=False,
        row=row,
        col=1,
    )
    plot.add_heatmap(
        **cells(product) | {"x": features, "y": features},
        coloraxis="coloraxis2",
        hovertemplate="W_%{y} · W_%{x} = %{z:.4g}<extra></extra>",
        row=row,
        col=2,
    )
    plot.add_heatmap(
        z=[[value] for value in digits(b[features])],
        x=["b"],
        y=features,
        coloraxis="coloraxis2",
        hovertemplate="b of feature %{y}: %{z:.4g}<extra></extra>",
        row=row,
        col=3,
    )


def _set_axes(plot: go.Figure, n_features: int, n_rows: int) -> None:
    bars = (trace for trace in plot.data if trace.type == "bar")
    end = 1.05 * max([1.0, *(max(trace.x) for trace in bars)])
    plot.update_yaxes(range=[n_features - 0.5, -0.5], showgrid=False, tickfont_size=11)
    plot.update_yaxes(title_text="feature", title_font_size=12, col=1)
    plot.update_xaxes(showgrid=False, tickfont_size=11, title_font_size=13)
    plot.update_xaxes(range=[0, end], col=1)
    plot.update_xaxes(range=[-0.5, n_features - 0.5], col=2)
    if n_features <= FEW:
        plot.update_yaxes(dtick=1).update_xaxes(dtick=1, col=2)
    plot.update_xaxes(showticklabels=False, ticks="", col=3)
    for row in range(1, n_rows + 1):
        line = {"color": "#6B7280", "width": 1, "dash": "dot"}
        plot.add_vline(x=measures.REPRESENTED, line=line, row=row, col=1)
    plot.update_xaxes(title_text="norm ‖W_i‖", row=n_rows, col=1)
    plot.update_xaxes(title_text="feature", row=n_rows, col=2)
