"""Figures of a sweep: the claims of its points over each axis, and over the first two together."""

import math
import statistics
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import torch

from mitool.report.axes import Axis, place, shown, spans
from mitool.report.figures import PALETTE, Figure, label, log_ticks
from mitool.report.heatmaps import heatmap, put_legend_above
from mitool.report.page import Report
from mitool.report.panels import columns_of, new_panels, places
from mitool.report.tables import Table, cell
from mitool.sweeps import SweepResult

SEEDS = {"seed", "split_seed"}
"""Axes whose values are repetitions, not settings to compare."""

MOST_PANELS, MOST_MAPS = 12, 4
MOST_CELLS = 16
"""Values of an axis that a map has room for."""

LOG_SPAN = 30.0
"""Ratio of the largest value to the smallest from which on a claim is on a log scale."""

PANEL_HEIGHT = 210

Numbers = Sequence[float | None]


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
    drawn = dict(list(found.items())[:MOST_PANELS])
    axes = _axes(result)
    if not drawn:
        return ()
    figures = [_over(result, axis, _colour(axis, axes), drawn, len(found)) for axis in axes]
    settings = [axis for axis in axes if axis.name not in SEEDS]
    if len(settings) >= 2 and all(len(axis.distinct) <= MOST_CELLS for axis in settings[:2]):
        maps = list(drawn.items())[:MOST_MAPS]
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
            name = None if colour is None else f"{colour.name} = {shown(group)}"
            first = (row, column) == (1, 1)
            for trace in _traces(axis, chosen, name, PALETTE[index], legend=first):
                plot.add_trace(trace, row, column)
        known = [value for value in values if value is not None]
        at = {"row": row, "col": column}
        axis.scale(plot, at, n_columns)
        plot.update_yaxes(tickfont_size=11, **at)
        if spans(known, LOG_SPAN):
            plot.update_yaxes(type="log", **log_ticks(known), **at)
        elif all(value == 0 or abs(value) >= 1 for value in known):
            plot.update_yaxes(exponentformat="none", separatethousands=True, **at)
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
    legend: bool,
) -> list[go.Scatter]:
    """The points of a group, and the line through their medians."""
    by_x: dict[object, list[float]] = {}
    for x, y in chosen:
        by_x.setdefault(x, []).append(y)
    along = [x for x in axis.distinct if x in by_x]
    common = {"legendgroup": name, "name": label(name or "")}
    return [
        go.Scatter(
            x=[place(x) for x, _ in chosen],
            y=[y for _, y in chosen],
            mode="markers",
            marker={"color": color, "size": 7, "opacity": 0.6},
            showlegend=legend and name is not None,
            hovertemplate="%{x}: %{y:.4g}",
            **common,
        ),
        go.Scatter(
            x=[place(x) for x in along],
            y=[statistics.median(by_x[x]) for x in along],
            mode="lines",
            line={"color": color, "width": 2},
            showlegend=False,
            hoverinfo="skip",
            **common,
        ),
    ]


def _map(x: Axis, y: Axis, name: str, values: Numbers) -> Figure:
    """A claim over two axes, the median over all others."""
    is_log = spans([value for value in values if value is not None], LOG_SPAN)
    cells: dict[tuple[object, object], list[float]] = {}
    for at_x, at_y, value in zip(x.values, y.values, values, strict=True):
        if value is not None:
            cells.setdefault((at_x, at_y), []).append(value)
    rows = [[_median(cells.get((a, b), [])) for a in x.distinct] for b in y.distinct]
    drawn = torch.tensor(rows, dtype=torch.float64)
    if is_log:
        drawn = drawn.log10()
    labels = {axis.name: [shown(value) for value in axis.distinct] for axis in (x, y)}
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
    if logs := [k for k, v in claims.items() if spans([y for y in v if y is not None], LOG_SPAN)]:
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


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else math.nan
