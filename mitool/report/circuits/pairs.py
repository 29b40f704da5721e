"""Whether the mean over pairs speaks for all of them."""

import math

import plotly.graph_objects as go
import torch

from mitool.analysis.circuits import CircuitResult
from mitool.report.circuits.summary import carried, tested_on
from mitool.report.figures import BLUE, GREY, Figure, drawable, new_plot

MOST_PAIRS, FEW_PAIRS = 1000, 100
"""Pairs that are drawn, and up to how many with large marks."""


def pair_figures(result: CircuitResult) -> list[Figure]:
    """The metric of each pair with the whole model, the circuit alone, and nothing."""
    tests, unit = result.evaluation, result.unit
    alone, n = tests.alone.metric[0], len(tests.ends.full)
    step = math.ceil(n / MOST_PAIRS)
    nearer = int(((alone - tests.ends.full).abs() < (alone - tests.ends.empty).abs()).sum())
    thinned = f" One pair of every {step} is drawn." if step > 1 else ""
    return [
        Figure(
            "pairs",
            f"Pairs one by one: the {unit} of the whole model and of the circuit",
            f"Each pair by its {unit} with the whole model, and with the circuit alone or with "
            f"nothing of the model, where all else carries {carried(result)}. On the line "
            f"the model loses nothing. In {nearer:,} of {n:,} pairs the circuit is nearer to the "
            f"whole model than to nothing. Drawn {tested_on(result)}.{thinned}",
            _draw(result, step),
        )
    ]


def _draw(result: CircuitResult, step: int) -> go.Figure:
    tests, unit = result.evaluation, result.unit
    chosen = torch.arange(0, len(tests.ends.full), step)
    full = tests.ends.full[chosen].tolist()
    plot = new_plot(f"whole model ({unit})", unit)
    ends = [min(full), max(full)]
    plot.add_scatter(
        x=ends,
        y=ends,
        name="as the whole model",
        mode="lines",
        line={"color": GREY, "width": 1},
        hoverinfo="skip",
    )
    marks = {
        "nothing of the model": (tests.ends.empty, "#9CA3AF", "circle-open"),
        "the circuit alone": (tests.alone.metric[0], BLUE, "circle"),
    }
    size = 8 if len(chosen) <= FEW_PAIRS else 5
    numbers = (result.origin.tested_on.chosen[chosen] + 1).tolist()
    for name, (values, color, symbol) in marks.items():
        plot.add_scatter(
            x=[drawable(value) for value in full],
            y=[drawable(value) for value in values[chosen].tolist()],
            name=name,
            mode="markers",
            marker={"color": color, "symbol": symbol, "size": size, "opacity": 0.75},
            customdata=numbers,
            hovertemplate="pair %{customdata:,}: %{y:.4g}, whole model %{x:.4g}",
        )
    below = {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"}
    return plot.update_layout(legend=below, showlegend=True, margin_b=100)
