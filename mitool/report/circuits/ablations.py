"""The circuit under each ablation, beside what is left without it, and random circuits."""

import plotly.graph_objects as go

from mitool.analysis.circuits import CircuitResult
from mitool.report.circuits.summary import carried, meaning, random_faithfulness, tested_on
from mitool.report.figures import BLUE, GREY, SKY, Figure, drawable, new_plot
from mitool.settings import Ablation

BAR, AROUND = 40, 150


def ablation_figures(result: CircuitResult) -> list[Figure]:
    """Nothing where faithfulness is defined under none."""
    under = {
        ablation: float(ablated.ends.faithfulness(ablated.circuit[None])[0])
        for ablation, ablated in result.evaluation.ablations.items()
        if ablated.ends.is_defined
    }
    if not under:
        return []
    own = result.origin.tested_on.ablation
    puts_in = "; ".join(f"{name}: {carried(result, name)}" for name in under)
    undefined = [name for name in result.evaluation.ablations if name not in under]
    missing = (
        f" Undefined under {', '.join(undefined)}: there the metric is the same with the whole "
        "model and with nothing of it."
    )
    n = len(random_faithfulness(result))
    random = f", and {n:,} random circuits of the same size, their mean as a bar" if n else ""
    return [
        Figure(
            "ablations",
            "The circuit under each ablation",
            f"{meaning(result).partition(':')[0]}: 1 is all of it, 0 as much as nothing of the "
            f"model, each under its own ablation. What all outside of a circuit carries: {puts_in}."
            f" Under {own}, by which the circuit was looked for or tested, also all but the "
            f"circuit{random}.{missing if undefined else ''} Means {tested_on(result)}.",
            _draw(result, under, own),
        )
    ]


def _draw(result: CircuitResult, under: dict[Ablation, float], own: Ablation) -> go.Figure:
    ends, found = result.evaluation.ends, random_faithfulness(result)
    plot = new_plot("faithfulness", "")
    bars = [(f"the circuit, {name}", value, BLUE) for name, value in under.items()]
    if ends.is_defined:
        left = float(ends.faithfulness(result.evaluation.complement[None])[0])
        bars.append((f"all but the circuit, {own}", left, SKY))
    random = f"random circuits, {own}"
    if found:
        bars.append((random, sum(found) / len(found), "#D1D5DB"))
    plot.add_bar(
        orientation="h",
        x=[drawable(value) for _, value, _ in bars],
        y=[name for name, _, _ in bars],
        marker_color=[color for _, _, color in bars],
        hovertemplate="%{y}: %{x:.4g}<extra></extra>",
    )
    if found:
        plot.add_scatter(
            x=[drawable(value) for value in found],
            y=[random] * len(found),
            mode="markers",
            marker={"color": GREY, "symbol": "circle-open", "size": 8},
            hovertemplate="a random circuit: %{x:.4g}<extra></extra>",
        )
    for place in (0, 1):
        plot.add_vline(place, line_color="#9CA3AF", line_width=1, line_dash="dash")
    plot.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return plot.update_layout(height=AROUND + BAR * len(bars), showlegend=False)
