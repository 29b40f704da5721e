"""How monosemantic the neurons of all models are."""

from mitool.analysis.monosemanticity import MonosemanticityResult
from mitool.report.figures import Figure, spread
from mitool.report.monosemanticity.lines import DOTTED, Line, line_panels
from mitool.report.monosemanticity.shown import (
    coloured_by,
    left_out,
    legend_of,
    looks_of,
    main_axis,
    shown_of,
    values_of,
    where_negative,
)

MOST_POINTS = 200
"""Neurons of a model that are points of its line."""

HEIGHT = 340
"""Pixels of the panel."""

RANGE = (-0.03, 1.06)
"""Of the shares that are drawn; those of neurons with negative activations may lie beyond."""


def share_figures(result: MonosemanticityResult) -> tuple[Figure, ...]:
    """Nothing where all models have diverged."""
    lines, axis = _lines(result), main_axis(result)
    if not lines:
        return ()
    plot = line_panels(
        ["largest activation over the sum of a neuron's activations"],
        lines,
        "share of neurons, the most monosemantic first",
        legend=legend_of(result),
        height=HEIGHT,
    )
    threshold = next(iter(result.models.values())).settings.mono_threshold
    plot.add_hline(threshold, line=DOTTED)
    shares = [share for line in lines for share in line.y[0] if share is not None]
    plot.update_yaxes(range=RANGE).update_xaxes(range=[-0.01, 1.01])
    cut = " Lines are cut off there." if min(shares) < RANGE[0] or max(shares) > RANGE[1] else ""
    negative = where_negative(shown.studied for shown in shown_of(result))
    values = values_of(result, axis) if axis else []
    a_line = "A line is a model: of each" if len(lines) > 1 else "Of each"
    caption = (
        f"{a_line} of its neurons, sorted, the largest activation on a single feature as a share "
        f"of the sum over all features. A neuron above the dotted line at {threshold:zg} is "
        "monosemantic; at 0 are neurons that no feature activates. A step from 1 to low shares is "
        "a model whose neurons are either monosemantic or clearly not."
        f"{coloured_by(axis, values)}"
        f"{negative}{cut}{left_out(result)}"
    )
    return (Figure("shares", "How monosemantic neurons are", caption, plot),)


def _lines(result: MonosemanticityResult) -> list[Line]:
    looks = looks_of(result)
    lines = []
    for shown in shown_of(result):
        look = looks[shown.name]
        neurons = shown.studied.order[0]
        places = spread(len(neurons), MOST_POINTS)
        shares = shown.studied.monosemanticity[neurons[places]].tolist()
        x = [float(f"{(place + 0.5) / len(neurons):z.4g}") for place in places]
        name = shown.name or "share"
        lines.append(Line(look.group, name, look.color, x, (shares,), look.dash))
    return lines
