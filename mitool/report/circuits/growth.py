"""Faithfulness of growing circuits, with the one that was chosen, and random ones."""

import plotly.graph_objects as go
from torch import Tensor

from mitool.analysis.circuits import CircuitResult
from mitool.analysis.circuits.faithfulness import Curve
from mitool.report.circuits.summary import how, meaning, random_faithfulness, unit_name, units_of
from mitool.report.evidence import over
from mitool.report.figures import BLACK, BLUE, GREY, VERMILLION, Figure, drawable, new_plot
from mitool.report.tables import readable

NAME = {
    "signed": "largest scores first",
    "absolute": "largest of either sign first",
}


def growth_figures(result: CircuitResult) -> list[Figure]:
    """Nothing where there are no scores to grow circuits by."""
    curve = result.evaluation.curve
    if curve is None or not result.evaluation.ends.is_defined:
        return []
    n = len(random_faithfulness(result))
    random = {0: "", 1: " Circle: a random circuit of the same size."}.get(
        n, f" Circles: {n:,} random circuits of the same size."
    )
    groups = over(result.origin.tested_on.groups)
    ends = f", with a 95 % bootstrap interval {groups}" if _interval(result) else ""
    return [
        Figure(
            "faithfulness",
            "Faithfulness of circuits of growing size",
            f"{meaning(result)} Lines: circuits of the {unit_name(result, 2)} with the "
            f"largest scores, unpruned. Diamond: the circuit of this report, less what is dead in "
            f"it{ends}.{random} {_areas(curve)} {how(result)}",
            _draw(result, curve),
        )
    ]


def _draw(result: CircuitResult, curve: Curve) -> go.Figure:
    plot = new_plot(f"share of all {unit_name(result, 2)} kept", "faithfulness")
    for height in (0, 1):
        plot.add_hline(height, line_color="#9CA3AF", line_width=1, line_dash="dash")
    _add_curve(plot, curve, "signed", curve.signed, {"color": VERMILLION})
    _add_curve(plot, curve, "absolute", curve.absolute, {"color": BLUE, "dash": "dash"})
    n, total = int(result.found.chosen.sum()), len(result.found.units)
    if n:
        _add_random(plot, result, n / total)
        _add_chosen(plot, result, n / total)
    plot.update_xaxes(
        type="log",
        tickvals=list(curve.fractions),
        ticktext=[f"{fraction:zg}" for fraction in curve.fractions],
    )
    below = {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"}
    return plot.update_layout(legend=below, showlegend=True, margin_b=110)


def _add_curve(
    plot: go.Figure, curve: Curve, ranking: str, values: Tensor, line: dict[str, str]
) -> None:
    plot.add_scatter(
        x=list(curve.fractions),
        y=[drawable(value) for value in values.tolist()],
        name=NAME[ranking],
        mode="lines+markers",
        line={"width": 2, **line},
        customdata=list(curve.sizes),
        hovertemplate="%{customdata:,} kept (%{x:.1%}): %{y:.4g}",
    )


def _add_random(plot: go.Figure, result: CircuitResult, fraction: float) -> None:
    found = random_faithfulness(result)
    if found:
        plot.add_scatter(
            x=[fraction] * len(found),
            y=[drawable(value) for value in found],
            name="random circuits",
            mode="markers",
            marker={"color": GREY, "symbol": "circle-open", "size": 8},
            hovertemplate="%{y:.4g}",
        )


def _add_chosen(plot: go.Figure, result: CircuitResult, fraction: float) -> None:
    value, ends = result.claims["faithfulness"], _interval(result)
    if not isinstance(value, float):
        return
    error = None
    if ends is not None:
        error = {"array": [ends[1] - value], "arrayminus": [value - ends[0]], "thickness": 1.5}
    n = units_of(result, int(result.found.chosen.sum()))
    sure = "" if ends is None else f"<br>95 % interval {ends[0]:z.4g} to {ends[1]:z.4g}"
    plot.add_scatter(
        x=[fraction],
        y=[value],
        error_y=error,
        name="the circuit",
        mode="markers",
        marker={"color": BLACK, "symbol": "diamond", "size": 11},
        hovertemplate=f"{n}: %{{y:.4g}}{sure}",
    )


def _interval(result: CircuitResult) -> list[float] | None:
    sure = result.claims["faithfulness_ci"]
    return [float(end) for end in sure] if isinstance(sure, list) else None


def _areas(curve: Curve) -> str:
    return (
        f"The area under the curve of the largest scores (CPR) is {readable(curve.cpr)}; "
        f"that between 1 and the curve of the largest of either sign (CMD) is "
        f"{readable(curve.cmd)}, both on a linear axis."
    )
