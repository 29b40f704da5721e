"""The activations of all neurons of a model on all features, as heatmaps."""

import math

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from mitool.report.figures import TEMPLATE, Figure
from mitool.report.heatmaps import MOST_CELLS, SEQUENTIAL
from mitool.report.monosemanticity.shown import Shown
from mitool.report.tables import readable

HEIGHT = 560
"""Pixels of a figure."""

LEVELS = 100
"""Of colours from 0 to the largest activation, which are the cells' numbers in percent."""

N_OTHERS = 3
"""Features that are on beside each."""

BOUNDARY = {"color": "white", "width": 1.5, "dash": "dot"}


def activation_figures(shown: Shown) -> tuple[Figure, Figure]:
    """On each feature alone, and with several others on."""
    return _alone(shown), _with_others(shown)


def some_features(n_features: int) -> list[int]:
    """The first, the middle and the last, by their number."""
    return sorted({round(i * (n_features - 1) / (N_OTHERS - 1)) for i in range(N_OTHERS)})


def pooled(
    values: Float[Tensor, "y x"], most: int = MOST_CELLS
) -> tuple[Float[Tensor, "row column"], tuple[int, int]]:
    """The values with at most so many rows and columns, and how many rows and columns of the values
    make one: a cell is the largest of its values, so that a lone large one is still seen.
    """
    high, wide = (math.ceil(size / most) for size in values.shape)
    cells = torch.nn.functional.max_pool2d(values[None], (high, wide), ceil_mode=True)
    return cells[0], (high, wide)


def _alone(shown: Shown) -> Figure:
    studied = shown.studied
    caption = (
        "The activation of every neuron (column) on every feature (row) alone, at 1. "
        "Neurons stand from the most monosemantic on; features in the order of the neurons that "
        "they activate most, so that monosemantic neurons are a diagonal with nothing above or "
        f"below it. {_left_of(shown)}{_idle(studied.activations)}{_cells(studied.activations)}"
    )
    return shown.figure(
        "activations", "Activations on single features", caption, _draw(shown, studied.activations)
    )


def _with_others(shown: Shown) -> Figure:
    studied = shown.studied
    others = some_features(studied.settings.N)
    activations = studied.model.feature_activations(others=others)
    numbers = ", ".join(str(feature) for feature in others)
    caption = (
        f"The same neurons and features in the same order, with the features {numbers} at 1 as "
        "well in every row. Upright stripes are neurons that respond to those; where the rest is "
        "as it was, each neuron still answers to its own feature alone, and where it is not, "
        "features disturb one another. Colours begin and end at other activations than in the "
        f"figure of single features. {_left_of(shown)}{_cells(activations)}"
    )
    return shown.figure(
        "several", "Activations with several features on", caption, _draw(shown, activations)
    )


def _draw(shown: Shown, activations: Float[Tensor, "N k"]) -> go.Figure:
    neurons, features = shown.studied.order
    cells, (high, wide) = pooled(activations[features][:, neurons].float())
    largest = cells.abs().max().item() or 1.0
    levels = (cells / largest * LEVELS).round().to(torch.int8)
    low = min(0, int(levels.min()))
    plot = go.Figure(layout={"template": TEMPLATE, "height": HEIGHT})
    plot.add_heatmap(
        # one byte a cell, so that a page has room for many models
        z=levels.numpy(),
        zmin=low,
        zmax=LEVELS,
        x0=(wide - 1) / 2,
        dx=wide,
        y0=(high - 1) / 2,
        dy=high,
        colorscale=SEQUENTIAL,
        colorbar=_bar(low, largest),
        hovertemplate=f"place %{{x:.0f}} of neurons, %{{y:.0f}} of features: %{{z}} % of "
        f"{readable(_short(largest))}<extra></extra>",
    )
    n_neurons, n_features = len(neurons), len(features)
    if 0 < shown.studied.monosemantic_neurons < n_neurons:
        plot.add_vline(shown.studied.monosemantic_neurons - 0.5, line=BOUNDARY)
    plot.update_xaxes(
        title_text="neurons, the most monosemantic first", range=[-0.5, n_neurons - 0.5]
    )
    plot.update_yaxes(
        title_text="features, by the neuron that they activate most", range=[n_features - 0.5, -0.5]
    )
    return plot.update_xaxes(showgrid=False).update_yaxes(showgrid=False)


def _bar(low: int, largest: float) -> dict[str, object]:
    """A scale of colours that says activations, where cells hold levels."""
    ticks = [level for level in range(-LEVELS, LEVELS + 1, LEVELS // 4) if level >= low]
    return {
        "title": {"text": "activation", "side": "top"},
        "thickness": 14,
        "tickvals": ticks,
        "ticktext": [readable(_short(level * largest / LEVELS)) for level in ticks],
    }


def _left_of(shown: Shown) -> str:
    count, k = shown.studied.monosemantic_neurons, shown.studied.settings.k
    if count == 0:
        return f"None of {k:,} neurons is monosemantic."
    if count == k:
        return f"All of {k:,} neurons are monosemantic."
    return f"The {count:,} of {k:,} neurons left of the dotted line are monosemantic."


def _idle(activations: Float[Tensor, "N k"]) -> str:
    """What a caption says of neurons that are never active."""
    n_idle = int((activations <= 0).all(dim=0).sum())
    return f" No feature activates {n_idle:,} of the neurons." if n_idle else ""


def _cells(activations: Float[Tensor, "N k"]) -> str:
    """What a caption says of pooled cells."""
    high, wide = (math.ceil(size / MOST_CELLS) for size in activations.shape)
    parts = [f"{n} {what}" for n, what in ((wide, "neurons"), (high, "features")) if n > 1]
    return f" A cell is the largest activation of {' and '.join(parts)}." if parts else ""


def _short(value: float) -> float:
    return float(f"{value:z.3g}")
