"""Whether the mean over pairs speaks for all of them."""

import math

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.patching import PatchResult
from mitool.analysis.patching.effects import moved_by
from mitool.report.evidence import of_groups
from mitool.report.figures import BLACK, BLUE, VERMILLION, Figure, drawable, label, new_plot
from mitool.report.patching.shown import MAX_SITE

MOST_PAIRS, FEW_PAIRS = 1000, 100
"""Pairs that are drawn, and up to how many with large marks."""


def pair_figures(result: PatchResult) -> list[Figure]:
    """The metric of each pair without and with the patch of the site that matters most."""
    top, measured = result.top, result.measured
    site = result.effects[top.family].sites[top.index]
    moved = moved_by(measured, result.plan, top.family)[top.index]
    n, n_like_mean = len(moved), int((moved * moved.mean() > 0).sum())
    step = math.ceil(n / MOST_PAIRS)
    base = "corrupted" if result.plan.direction == "denoise" else "clean"
    thinned = f" One pair of every {step} is drawn." if step > 1 else ""
    return [
        Figure(
            "pairs",
            f"Pairs one by one: the {result.unit} with {site} patched",
            f"The {result.unit} of the clean run, of the corrupted run, and of the {base} run with "
            f"{site} patched, {_moves(moved)}{_aside(result)}; pairs in the order of their "
            "clean runs, and of the corrupted ones where those are equal. In "
            f"{n_like_mean:,} of {n:,} pairs the patch moves it the way that it does on "
            f"average.{thinned}{of_groups(result.groups)}",
            _points(result, f"{base} run, {site} patched", step),
        )
    ]


def _points(result: PatchResult, patched: str, step: int) -> go.Figure:
    measured, top = result.measured, result.top
    by_corrupted = measured.corrupted.argsort(stable=True)
    order = by_corrupted[measured.clean[by_corrupted].argsort(stable=True)]
    chosen = torch.arange(0, len(order), step)
    large = 8.0 if len(chosen) <= FEW_PAIRS else 5.0
    marks = {  # a dot shows in the diamond of a patch that restores all, or changes nothing
        patched: (measured.values[top.family][top.index], VERMILLION, "diamond-open", large),
        "corrupted run": (measured.corrupted, BLACK, "circle", large / 2),
        "clean run": (measured.clean, BLUE, "circle", large / 2),
    }
    plot = new_plot("pair, in order", result.unit)
    for name, (values, color, symbol, size) in marks.items():
        plot.add_scatter(
            x=(chosen + 1).tolist(),
            y=[drawable(value) for value in values[order][chosen].tolist()],
            name=label(name, MAX_SITE),
            mode="markers",
            marker={"color": color, "symbol": symbol, "size": size},
            hovertemplate="pair %{x:,}: %{y:.4g}",
        )
    below = {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"}
    plot.update_layout(legend=below | {"traceorder": "reversed", "itemsizing": "constant"})
    return plot.update_layout(showlegend=True, margin_b=100)


def _moves(moved: Float[Tensor, " pair"]) -> str:
    return "which moves it most" if moved.mean() else "which moves it as little as all others"


def _aside(result: PatchResult) -> str:
    """The residual stream is the site that matters most only where nothing else was patched."""
    residual = [family.name for family in result.plan.families if family.is_residual]
    is_aside = residual and result.top.family not in residual
    return ", the residual stream aside" if is_aside else ""
