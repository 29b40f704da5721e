"""The losses of models over training, and at its end."""

from collections.abc import Sequence

import plotly.graph_objects as go

from mitool.analysis.superposition import SuperpositionResult
from mitool.report.figures import (
    BLUE,
    LEGEND_LINE,
    MAX_LEGEND,
    Figure,
    add_line,
    drawable,
    fit_legend,
    label,
    line_style,
    log_ticks,
    new_plot,
    thinned,
)
from mitool.report.panels import BOTTOM, TOP, new_panels, places
from mitool.report.shades import ranked_shades
from mitool.report.superposition.shown import (
    INVERSE_DENSITY,
    Family,
    by_density,
    families_of,
    inverse_density,
    model_name,
)

LOSS = "loss (weighted squared error)"

MOST = 20
"""Models that have a line each; of more, the mean and the range are drawn."""

PANEL = 380
"""Pixels of a panel."""


def loss_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """The loss of each model over the steps of training, where these are known."""
    names = {name for evaluation in result.history for name in evaluation.losses}
    families = [family for family in families_of(result.families) if family.key in names]
    if not families:
        return ()
    history = thinned(result.history)
    plot = new_panels([f.name or f.size for f in families], "step", LOSS, height=PANEL)
    plot.update_yaxes(type="log", tickfont_size=11).update_xaxes(tickfont_size=11)
    for family, (row, column) in zip(families, places(len(families)), strict=True):
        known = [e for e in history if family.key in e.losses]
        steps = [evaluation.step for evaluation in known]
        losses = [evaluation.losses[family.key] for evaluation in known]
        for trace in _lines(family, steps, losses):
            plot.add_trace(trace, row, column)
    _tidy(plot)
    some = any(len(family.models) > MOST for family in families)
    lines = (
        f" Of more than {MOST} models the mean is drawn, and the range shaded."
        if some
        else " A line is a model, the darkest that of the densest features."
    )
    caption = (
        "Loss on held-out examples over steps of training, on a log axis: squared errors weighted "
        "by importance, summed over features and averaged over examples; of models that were "
        f"trained several times, that of the best.{lines} Sparser features are 0 more often, which "
        "by itself makes the loss less, so that lines of different sparsity cannot be compared by "
        "their height."
    )
    return (Figure("losses", "Losses over training", caption, plot),)


def final_loss_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """The loss of each model at the end of training, over sparsity."""
    plot = new_plot(INVERSE_DENSITY, LOSS, log_y=True)
    families = [*families_of(result.families)]
    for number, family in enumerate(families):
        x, order = inverse_density(family.models), by_density(family.models)
        at = [(place, family.studied.losses[i]) for i in order if (place := x[i]) is not None]
        name = family.name or family.size
        add_line(plot, name, [a for a, _ in at], [b for _, b in at], **line_style(number))
        plot.data[-1].update(mode="markers" if len({a for a, _ in at}) < len(at) else None)
    fit_legend(plot)
    known = [x for family in families for x in inverse_density(family.models) if x is not None]
    plot.update_xaxes(type="log", **log_ticks(known))
    losses = [loss for family in families for loss in family.studied.losses]
    plot.update_yaxes(tickfont_size=13, **log_ticks(losses))
    plot.update_layout(showlegend=1 < len(families) <= MAX_LEGEND)
    sizes = ", ".join(dict.fromkeys(family.size for family in families))
    caption = (
        f"Loss of each model of {sizes} on held-out examples after training, over 1/(1 - S), both "
        "on log axes: squared errors weighted by importance, summed over features and averaged "
        "over examples. Dense features are on the left, sparse ones on the right."
    )
    return (Figure("final_losses", "Losses after training", caption, plot),)


def _lines(
    family: Family, steps: Sequence[int], losses: Sequence[Sequence[float]]
) -> list[go.Scatter]:
    by_model = [*zip(*losses, strict=False)]
    if len(by_model) > MOST or len(by_model) != len(family.models):
        return _summary(steps, losses)
    colors = ranked_shades(len(by_model))
    return [
        go.Scatter(
            x=[*steps],
            y=[drawable(value, 0) for value in by_model[index]],
            mode="lines" if len(steps) > 1 else "markers",
            name=label(model_name(family.models, index)),
            legendgroup=label(model_name(family.models, index)),
            line={"color": color, "width": 2},
            hovertemplate="step %{x:,}: %{y:.4g}",
        )
        for index, color in zip(by_density(family.models), colors, strict=True)
    ]


def _summary(steps: Sequence[int], losses: Sequence[Sequence[float]]) -> list[go.Scatter]:
    """The mean line, and the range as a shade; a least loss of 0 has no place on the axis."""
    found = [
        (step, min(above), sum(above) / len(above), max(above))
        for step, values in zip(steps, losses, strict=True)
        if (above := [value for value in values if drawable(value, 0) is not None])
    ]
    x = [step for step, *_ in found]
    shade = {"x": x, "mode": "lines", "line_width": 0, "hoverinfo": "skip", "showlegend": False}
    mean = [float(f"{middle:z.6g}") for _, _, middle, _ in found]
    return [
        go.Scatter(y=[low for _, low, _, _ in found], **shade),
        go.Scatter(
            y=[high for *_, high in found],
            fill="tonexty",
            fillcolor="rgba(0, 114, 178, 0.18)",
            **shade,
        ),
        go.Scatter(
            x=x,
            y=mean,
            mode="lines",
            name="mean, and range",
            legendgroup="mean",
            line={"color": BLUE, "width": 2},
            hovertemplate="step %{x:,}: mean %{y:.4g}",
        ),
    ]


def _tidy(plot: go.Figure) -> None:
    """Each name once in the legend, or no legend of too many; and ticks that can be read."""
    seen: set[str] = set()
    for trace in plot.data:
        if trace.name is not None:
            trace.update(showlegend=trace.name not in seen)
            seen.add(trace.name)
    height = max(plot.layout.height, TOP + BOTTOM + LEGEND_LINE * (len(seen) + 1))
    plot.update_layout(height=height, showlegend=len(seen) <= MAX_LEGEND)
    for number in range(1, len({trace.yaxis for trace in plot.data}) + 1):
        axis = "y" if number == 1 else f"y{number}"
        values = [y for t in plot.data if t.yaxis == axis for y in t.y if y is not None]
        plot.update_layout({f"yaxis{axis[1:]}": log_ticks(values)})
