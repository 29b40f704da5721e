"""Some features, and some neurons, of a model: whether one has the other to itself."""

from collections.abc import Sequence

import plotly.graph_objects as go
from torch import Tensor

from mitool.models.monosemanticity import own_features
from mitool.report.figures import BLUE, MAX_POINTS, Figure
from mitool.report.monosemanticity.activations import pooled, some_features
from mitool.report.monosemanticity.lines import DOTTED
from mitool.report.monosemanticity.shown import Shown, where_negative
from mitool.report.panels import new_panels, share_x

PANEL = 130
"""Pixels of a panel."""


def feature_figure(shown: Shown) -> Figure:
    """The activations of all neurons on some features."""
    studied = shown.studied
    features = some_features(studied.settings.N)
    neurons = studied.order[0]
    names = [f"feature {feature}, which has {_own_neurons(shown, feature)}" for feature in features]
    plot = _bars(
        names,
        [studied.activations[feature, neurons] for feature in features],
        "neurons, the most monosemantic first",
    )
    if 0 < studied.monosemantic_neurons < len(neurons):
        plot.add_vline(studied.monosemantic_neurons - 0.5, line=DOTTED)
    caption = (
        "The activations of all neurons on some features alone, at 1: the first, the middle and "
        "the last by number, which are not chosen by what they show. A feature of its own neuron "
        "is one high bar left of the dotted line, where neurons are monosemantic; one in "
        f"superposition activates many on its right.{_pooling(len(neurons))}"
    )
    return shown.figure("features", "Neurons that features activate", caption, plot)


def neuron_figures(shown: Shown) -> tuple[Figure, Figure]:
    """The activations of some neurons on each feature alone, and with several others on."""
    studied = shown.studied
    others = some_features(studied.settings.N)
    chosen = _some_neurons(studied.activations, studied.order[0])
    names = [
        f"neuron {neuron}, {place}: share {studied.monosemanticity[neuron]:z.4g}"
        for place, neuron in chosen.items()
    ]
    alone, several = (
        _bars(names, [values[:, neuron] for neuron in chosen.values()], "feature, by number")
        for values in (studied.activations, studied.model.feature_activations(others=others))
    )
    caption = (
        "The activations of some neurons on every feature alone, at 1: the most monosemantic, the "
        "middle and the least monosemantic of those that some feature activates, each with the "
        "largest of its activations as a share of their sum. A monosemantic neuron is one bar; a "
        "polysemantic one answers to many features."
        f"{where_negative([studied])}{_pooling(studied.settings.N)}"
    )
    caption_of_several = (
        f"The same neurons with the features {', '.join(map(str, others))} at 1 beside every "
        "feature, and their shares as before, of single features. A neuron that stays quiet but "
        "for one feature is not disturbed by the others; a level that most bars share is its "
        f"answer to those.{_pooling(studied.settings.N)}"
    )
    title = "Features that neurons answer to"
    return (
        shown.figure("neurons", title, caption, alone),
        shown.figure("neurons_several", f"{title}, with several on", caption_of_several, several),
    )


def _own_neurons(shown: Shown, feature: int) -> str:
    studied = shown.studied
    own = own_features(studied.activations) == feature
    count = int((own & studied.is_monosemantic).sum())
    return {0: "no neuron of its own", 1: "1 neuron of its own"}.get(
        count, f"{count} neurons of its own"
    )


def _some_neurons(activations: Tensor, order: Tensor) -> dict[str, int]:
    """Of active neurons the first, the middle and the last in their order, by what they are."""
    active = [n for n in order.tolist() if activations[:, n].amax() > 0] or order.tolist()
    return {
        "the most monosemantic": active[0],
        "the middle": active[(len(active) - 1) // 2],
        "the least monosemantic": active[-1],
    }


def _bars(names: Sequence[str], rows: Sequence[Tensor], x_title: str) -> go.Figure:
    plot = new_panels(names, x_title, "activation", height=PANEL, shared=True, columns=1)
    for number, values in enumerate(rows, start=1):
        cells, (_, wide) = pooled(values[None].float(), MAX_POINTS)
        plot.add_bar(
            y=[float(f"{value:z.3g}") for value in cells[0].tolist()],
            x0=(wide - 1) / 2,
            dx=wide,
            marker={"color": BLUE, "line_width": 0},
            hovertemplate="%{x:.0f}: %{y:.3g}<extra></extra>",
            showlegend=False,
            row=number,
            col=1,
        )
    share_x(plot.update_xaxes(range=[-0.5, len(rows[0]) - 0.5]))
    plot.update_layout(bargap=0)
    largest = max(0.0, *(values.max().item() for values in rows))
    lowest = min(0.0, *(values.min().item() for values in rows))
    return plot.update_yaxes(range=[1.05 * lowest, 1.05 * largest or 1])


def _pooling(n: int) -> str:
    wide = -(-n // MAX_POINTS)
    return f" A bar is the largest activation of {wide}." if wide > 1 else ""
