"""Monosemantic neurons and loss over what is swept."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from mitool.analysis.monosemanticity import MonosemanticityResult, StudiedModel
from mitool.report.figures import PALETTE, Figure, log_ticks
from mitool.report.monosemanticity.lines import DOTTED, Line, is_wide, line_panels
from mitool.report.monosemanticity.shown import (
    colors_of,
    coloured_by,
    is_number,
    main_axis,
    value_name,
    values_of,
)
from mitool.settings.monosemanticity import Value
from mitool.training.monosemanticity import run_label

PANELS = ("monosemantic neurons per feature", "share of neurons that are monosemantic", "loss")

MOST_TICKS = 12
"""Values that all have a tick."""


def sweep_figures(result: MonosemanticityResult) -> tuple[Figure, ...]:
    """Nothing of a lone model."""
    axis = main_axis(result)
    if axis is None or len(result.models) < 2:
        return ()
    values, others = values_of(result, axis), [name for name in result.swept if name != axis]
    plot = line_panels(
        PANELS,
        _lines(result, axis, others),
        axis,
        legend=", ".join(others),
        joined=all(map(is_number, values)),
    )
    plot.update_yaxes(rangemode="tozero", row=1, col=1)
    plot.update_yaxes(rangemode="tozero", row=2, col=1)
    is_log = _set_axis(plot, values)
    at_N = _mark_features(plot, result) if axis == "k" and "N" not in others else ""
    gaps = " Models that diverged have no point." if _has_diverged(result) else ""
    on_log = ", which is on a log axis" if is_log else ""
    other_values = values_of(result, others[0]) if len(others) == 1 else []
    caption = (
        f"All models at the end of training, over {axis}{on_log}{at_N}. From the top: monosemantic "
        "neurons over the number of features, which is more than 1 where features have several; "
        "the same over the number of neurons; and the squared error on held-out examples, summed "
        "over outputs and averaged over examples. Where the loss stays and the first two rise, "
        "neurons are monosemantic at no cost."
        f"{coloured_by(', '.join(others), other_values)}{gaps}"
    )
    return (Figure("sweep", f"Monosemantic neurons over {axis}", caption, plot),)


def _lines(result: MonosemanticityResult, axis: str, others: Sequence[str]) -> list[Line]:
    """A line for each combination of what else is swept."""
    order = {value: place for place, value in enumerate(values_of(result, axis))}
    groups: dict[tuple[Value, ...], list[StudiedModel]] = {}
    for studied in result.models.values():
        groups.setdefault(tuple(studied.point[name] for name in others), []).append(studied)
    lines = []
    for point, color in _colors(result, others, [*groups]).items():
        along = sorted(groups[point], key=lambda studied: order[studied.point[axis]])
        name = run_label(dict(zip(others, point, strict=True)))
        lines.append(
            Line(
                ", ".join(value_name(value) for value in point),
                name or axis,
                color,
                [_place(studied.point[axis]) for studied in along],
                [*zip(*(_measures(studied) for studied in along), strict=True)],
            )
        )
    return lines


def _colors(
    result: MonosemanticityResult, others: Sequence[str], points: Sequence[tuple[Value, ...]]
) -> Mapping[tuple[Value, ...], str]:
    """Of what one other axis makes differ, by its values; of what several do, by their order."""
    if len(others) == 1:
        colors = colors_of(values_of(result, others[0]))
        return {(value,): color for value, color in colors.items()}
    return {point: PALETTE[index % len(PALETTE)] for index, point in enumerate(points)}


def _measures(studied: StudiedModel) -> tuple[float | None, float | None, float | None]:
    if studied.loss is None:
        return None, None, None
    count, s = studied.monosemantic_neurons, studied.settings
    return count / s.N, count / s.k, studied.loss


def _set_axis(plot: go.Figure, values: Sequence[Value]) -> bool:
    """Whether it is a log axis."""
    numbers = [float(value) for value in values if is_number(value)]
    if len(numbers) < len(values):
        plot.update_xaxes(type="category")
        return False
    is_log = is_wide(numbers)
    if is_log:
        plot.update_xaxes(type="log", **log_ticks(numbers))
    if len(values) <= MOST_TICKS:
        plot.update_xaxes(tickvals=numbers, ticktext=[value_name(value) for value in values])
    return is_log


def _mark_features(plot: go.Figure, result: MonosemanticityResult) -> str:
    N = next(iter(result.models.values())).settings.N
    for row in range(1, len(PANELS) + 1):
        plot.add_vline(N, line=DOTTED, row=row, annotation_text=f"N = {N:,}" if row == 1 else "")
    return f", dotted where there are as many neurons as features ({N:,})"


def _place(value: Value) -> float | str:
    return value if isinstance(value, str) else float(value)


def _has_diverged(result: MonosemanticityResult) -> bool:
    return any(studied.loss is None for studied in result.models.values())
