"""Figures of a sweep: the claims of its points over each axis, and over the first two together."""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import torch

from mitool.report.figures import PALETTE, Figure, label, log_ticks
from mitool.report.heatmaps import heatmap, put_legend_above
from mitool.report.page import Report
from mitool.report.panels import WIDTH, columns_of, new_panels, places
from mitool.report.tables import Table, cell
from mitool.sweeps import SweepResult

SEEDS = {"seed", "split_seed"}
"""Axes whose values are repetitions, not settings to compare."""

MOST_PANELS, MOST_MAPS = 12, 4
MOST_CELLS, MOST_TICKS = 16, 7
"""Values of an axis that a map has room for, and those that all have a tick."""

LOG_SPAN, LOG_AXIS_SPAN = 100.0, 20.0
"""Ratios of the largest value to the smallest from which on a claim, and an axis, is on a log
scale."""

LETTER, BETWEEN = 7.0, 8.0
"""Pixels of a letter of a tick's label, and between two labels."""

PANEL_SHARE = 0.88
"""Of the width that a panel has, that is its plot."""

PANEL_HEIGHT = 210
BESIDE = 0.07
"""Of an axis, from its values to its ends."""

Numbers = Sequence[float | None]


@dataclass(frozen=True)
class Axis:
    """An axis of the grid.

    Attributes:
        values: of each point; None where it has none.
    """

    name: str
    values: Sequence[float | bool | str | None]

    @property
    def distinct(self) -> list[float | bool | str]:
        """In rising order where they are numbers, else in the grid's."""
        found = list(dict.fromkeys(value for value in self.values if value is not None))
        return list(self.numbers) or found

    @property
    def numbers(self) -> list[float]:
        """The different values in rising order where all are numbers, else none."""
        known = [value for value in self.values if value is not None]
        numbers = {v for v in known if isinstance(v, int | float) and not isinstance(v, bool)}
        return sorted(numbers) if len(numbers) == len(set(known)) else []

    @property
    def is_log(self) -> bool:
        return _spans(self.numbers, LOG_AXIS_SPAN)


def sweep_report(
    result: SweepResult, command: str | None = None, metrics: Sequence[str] = ()
) -> Report:
    """The page of a sweep.

    Args:
        command: what to type to have the same again.
        metrics: the claims to draw; those that vary if left out.
    """
    claims = result.claims
    axes = [axis.name for axis in _axes(result)] or list(result.axes)
    failed = f", {claims['failed']} failed" if claims["failed"] else ""
    return Report(
        f"Sweep of {result.subject['command']} over {', '.join(axes)}",
        f"{claims['points']} points: {claims['done']} done{failed}.",
        result,
        sweep_figures(result, metrics),
        command,
        tables=(_points_table(result),),
    )


def sweep_figures(result: SweepResult, metrics: Sequence[str] = ()) -> tuple[Figure, ...]:
    """Panels of the claims over each axis, and maps of the first over the first two axes."""
    found = {k: v for k, v in drawable_claims(result).items() if k in metrics or not metrics}
    shown = dict(list(found.items())[:MOST_PANELS])
    axes = _axes(result)
    if not shown:
        return ()
    figures = [_over(result, axis, _colour(axis, axes), shown, len(found)) for axis in axes]
    settings = [axis for axis in axes if axis.name not in SEEDS]
    if len(settings) >= 2 and all(len(axis.distinct) <= MOST_CELLS for axis in settings[:2]):
        maps = list(shown.items())[:MOST_MAPS]
        figures += [_map(settings[0], settings[1], name, values) for name, values in maps]
    return tuple(figures)


def drawable_claims(result: SweepResult) -> dict[str, Numbers]:
    """The claims that are numbers, and not the same one at all points; no axis's own values."""
    claims = {k: v for k, v in result.claims.items() if k not in result.axes}
    lists = {name: values for name, values in claims.items() if isinstance(values, list)}
    return {name: values for name, values in lists.items() if _varies(values)}


def _varies(values: Sequence[object]) -> bool:
    known = {value for value in values if value is not None}
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in known)
    return is_number and len(known) > 1


def _axes(result: SweepResult) -> list[Axis]:
    """The axes with something to compare: seeds only where there is nothing else."""
    axes = [Axis(name, values) for name, values in result.axes.items()]
    several = [axis for axis in axes if len(axis.distinct) > 1]
    return [axis for axis in several if axis.name not in SEEDS] or several


def _colour(axis: Axis, axes: Sequence[Axis]) -> Axis | None:
    """The axis that colours the points over another one."""
    others = (other for other in axes if other is not axis and other.name not in SEEDS)
    return next((other for other in others if len(other.distinct) <= len(PALETTE)), None)


def _over(
    result: SweepResult,
    axis: Axis,
    colour: Axis | None,
    claims: Mapping[str, Numbers],
    n_found: int,
) -> Figure:
    plot = new_panels(list(claims), axis.name, "", height=PANEL_HEIGHT, long_labels=True)
    n_columns = columns_of(len(claims), shared=False)
    for (row, column), values in zip(places(len(claims)), claims.values(), strict=True):
        for index, group in enumerate(colour.distinct if colour else [None]):
            chosen = [
                (x, y)
                for x, y, own in zip(
                    axis.values, values, colour.values if colour else axis.values, strict=True
                )
                if x is not None and y is not None and (group is None or own == group)
            ]
            name = None if colour is None else f"{colour.name} = {_shown(group)}"
            first = (row, column) == (1, 1)
            for trace in _traces(axis, chosen, name, PALETTE[index], shown=first):
                plot.add_trace(trace, row, column)
        known = [value for value in values if value is not None]
        _scale(plot, axis, known, {"row": row, "col": column}, n_columns)
    plot.update_layout(showlegend=False)
    if colour is not None:
        put_legend_above(plot, lines=math.ceil(len(colour.distinct) / 4))
    return Figure(
        f"over_{axis.name}",
        f"Claims over {axis.name}",
        _caption(result, axis, colour, claims, n_found),
        plot,
    )


def _traces(
    axis: Axis,
    chosen: Sequence[tuple[float | bool | str, float]],
    name: str | None,
    color: str,
    *,
    shown: bool,
) -> list[go.Scatter]:
    """The points of a group, and the line through their medians."""
    by_x: dict[object, list[float]] = {}
    for x, y in chosen:
        by_x.setdefault(x, []).append(y)
    along = [x for x in axis.distinct if x in by_x]
    common = {"legendgroup": name, "name": label(name or "")}
    return [
        go.Scatter(
            x=[_place(x) for x, _ in chosen],
            y=[y for _, y in chosen],
            mode="markers",
            marker={"color": color, "size": 7, "opacity": 0.6},
            showlegend=shown and name is not None,
            hovertemplate="%{x}: %{y:.4g}",
            **common,
        ),
        go.Scatter(
            x=[_place(x) for x in along],
            y=[statistics.median(by_x[x]) for x in along],
            mode="lines",
            line={"color": color, "width": 2},
            showlegend=False,
            hoverinfo="skip",
            **common,
        ),
    ]


def _scale(
    plot: go.Figure, axis: Axis, values: Sequence[float], at: Mapping[str, int], n_columns: int
) -> None:
    """Scales and ticks of a panel, of which so many stand side by side."""
    if not axis.numbers:
        plot.update_xaxes(type="category", categoryorder="array", **at)
        plot.update_xaxes(categoryarray=[_place(value) for value in axis.distinct], **at)
    else:
        plot.update_xaxes(range=_range(axis), **at)
    if axis.is_log:
        plot.update_xaxes(type="log", **log_ticks(axis.numbers), **at)
    if ticks := _ticks(axis, n_columns):
        plot.update_xaxes(tickvals=ticks, ticktext=[_shown(value) for value in ticks], **at)
    if _spans(values, LOG_SPAN):
        plot.update_yaxes(type="log", **log_ticks(values), **at)
    plot.update_yaxes(tickfont_size=11, **at)
    plot.update_xaxes(tickfont_size=11, **at)


def _range(axis: Axis) -> list[float]:
    """The same in all panels, though a claim be undefined at some values."""
    ends = [axis.numbers[0], axis.numbers[-1]]
    low, high = map(math.log10, ends) if axis.is_log else ends
    beside = BESIDE * (high - low)
    return [low - beside, high + beside]


def _ticks(axis: Axis, n_columns: int) -> list[float]:
    """The values of an axis of numbers, where there is room for each of them."""
    values = axis.numbers
    if not 2 <= len(values) <= MOST_TICKS:
        return []
    along = [math.log(value) if axis.is_log else value for value in values]
    width = WIDTH / n_columns * PANEL_SHARE * (1 - 2 * BESIDE)
    label_width = max(len(_shown(value)) for value in values) * LETTER + BETWEEN
    least = (along[-1] - along[0]) * label_width / width
    fits = all(b - a >= least for a, b in itertools.pairwise(along))
    return values if fits else []


def _map(x: Axis, y: Axis, name: str, values: Numbers) -> Figure:
    """A claim over two axes, the median over all others."""
    is_log = _spans([value for value in values if value is not None], LOG_SPAN)
    cells: dict[tuple[object, object], list[float]] = {}
    for at_x, at_y, value in zip(x.values, y.values, values, strict=True):
        if value is not None:
            cells.setdefault((at_x, at_y), []).append(value)
    rows = [[_median(cells.get((a, b), [])) for a in x.distinct] for b in y.distinct]
    drawn = torch.tensor(rows, dtype=torch.float64)
    if is_log:
        drawn = drawn.log10()
    labels = {axis.name: [_shown(value) for value in axis.distinct] for axis in (x, y)}
    plot = heatmap(drawn, x.name, y.name, "", x=labels[x.name], y=labels[y.name])
    plot.update_traces(texttemplate="%{z:.3g}")
    plot.update_layout(plot_bgcolor="#D4D4D4")
    unit = f"log10 of {name}" if is_log else name
    most = max((len(found) for found in cells.values()), default=1)
    several = f", the median of up to {most} points that share both" if most > 1 else ""
    return Figure(
        f"map_{name}".replace(".", "_"),
        f"{unit} over {x.name} and {y.name}",
        f"Colour and number: {unit}{several}. Grey: no point there has such a value.",
        plot,
    )


def _caption(
    result: SweepResult,
    axis: Axis,
    colour: Axis | None,
    claims: Mapping[str, Numbers],
    n_found: int,
) -> str:
    groups = f" with the same {colour.name}, by colour" if colour else ""
    parts = [
        f"Every dot is a point of the grid; the lines run through the medians of points{groups}."
    ]
    if logs := [k for k, v in claims.items() if _spans([y for y in v if y is not None], LOG_SPAN)]:
        parts.append(f"On a log axis: {', '.join(logs)}.")
    if failed := result.claims["failed"]:
        parts.append(f"{failed} of {len(result.outcomes)} points failed and are left out.")
    done = [outcome.done for outcome in result.outcomes]
    gaps = {
        name: sum(ok and value is None for ok, value in zip(done, values, strict=True))
        for name, values in claims.items()
    }
    parts += [f"{name} is undefined at {count} points." for name, count in gaps.items() if count]
    if n_found > len(claims):
        parts.append(f"{n_found - len(claims)} more claims vary; --metric NAME chooses.")
    return " ".join(parts)


def _points_table(result: SweepResult) -> Table:
    """All points: the axes, how they ended, and what they claim."""
    claims = {k: v for k, v in result.claims.items() if isinstance(v, list)}
    rows = []
    for index, outcome in enumerate(result.outcomes):
        status = "done" if outcome.done else f"failed ({outcome.exit_code}): {outcome.error}"
        values = [*(v[index] for v in result.axes.values()), status]
        values += [v[index] for v in claims.values()]
        rows.append((outcome.point.name, tuple(cell(value, "") for value in values)))
    return Table("Points", (*result.axes, "status", *claims), tuple(rows))


def _spans(values: Sequence[float], ratio: float) -> bool:
    return bool(values) and min(values) > 0 and max(values) / min(values) >= ratio


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else math.nan


def _place(value: object) -> object:
    """Where a value stands on an axis: a boolean or a text by its name."""
    return (
        value
        if isinstance(value, int | float) and not isinstance(value, bool)
        else label(_shown(value))
    )


def _shown(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:g}"
    return str(value)
