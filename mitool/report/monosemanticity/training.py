"""Loss, monosemantic neurons and mean bias of all models while they learn."""

from collections.abc import Sequence

from mitool.analysis.monosemanticity import MonosemanticityResult
from mitool.report.figures import Figure, thinned
from mitool.report.monosemanticity.lines import DOTTED, Line, is_wide, line_panels, powers_of_two
from mitool.report.monosemanticity.shown import (
    coloured_by,
    legend_of,
    looks_of,
    main_axis,
    values_of,
)
from mitool.training.monosemanticity import MonosemanticityEvaluation

PANELS = ("loss (squared error)", "monosemantic neurons per feature", "mean bias of neurons")
LOSS, SHARE, _ = range(len(PANELS))

NEAR_ONE = 0.7
"""A share from which on the line at 1 is drawn."""


def training_figures(result: MonosemanticityResult) -> tuple[Figure, ...]:
    """Nothing where no evaluation is known."""
    n_models = len(result.models)
    known = [e for e in result.history if e.step > 0 and len(e.loss) == n_models]
    if not known:
        return ()
    history = thinned(known)
    lines, axis = _lines(result, history), main_axis(result)
    is_log = is_wide(y for line in lines for y in line.y[LOSS])
    plot = line_panels(
        PANELS, lines, "step", legend=legend_of(result), log=[LOSS] if is_log else []
    )
    plot.update_xaxes(type="log", **powers_of_two(history[-1].step))
    reaches = max((y for line in lines for y in line.y[SHARE] if y is not None), default=0)
    at_one, top = "", max(1.06 * reaches, 0.01)
    if reaches > NEAR_ONE:
        top = max(top, 1.06)
        plot.add_hline(1, line=DOTTED, row=SHARE + 1, col=1)
        at_one = ", dotted where there are as many as features"
    plot.update_yaxes(range=[0, top], row=SHARE + 1, col=1)
    a_line = "A line for each model" if n_models > 1 else "A lone model"
    others = [name for name in result.swept if name != axis]
    alike = f" Models of one colour differ in {' and '.join(others)}, by dashes." if others else ""
    gaps = " A line ends where its model diverged." if _has_gaps(lines) else ""
    values = values_of(result, axis) if axis else []
    caption = (
        f"{a_line} over steps of training, on a log axis, so that the state before the first step "
        "is left out. From the top: squared error on held-out examples, summed over outputs and "
        f"averaged over examples{', on a log axis' if is_log else ''}; the number of monosemantic "
        "neurons over that of "
        f"features{at_one}; and the mean over neurons of their biases."
        f"{coloured_by(axis, values)}{alike}{gaps}"
    )
    return (Figure("training", "Training", caption, plot),)


def _lines(
    result: MonosemanticityResult, history: Sequence[MonosemanticityEvaluation]
) -> list[Line]:
    steps, looks = [evaluation.step for evaluation in history], looks_of(result)
    lines = []
    for index, (name, studied) in enumerate(result.models.items()):
        look = looks[name]
        counts = [e.monosemantic_neurons[index] for e in history]
        shares = [None if count is None else count / studied.settings.N for count in counts]
        y = ([e.loss[index] for e in history], shares, [e.mean_bias[index] for e in history])
        lines.append(Line(look.group, name or "step", look.color, steps, y, look.dash))
    return lines


def _has_gaps(lines: Sequence[Line]) -> bool:
    return any(y is None for line in lines for y in line.y[LOSS])
