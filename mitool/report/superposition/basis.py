"""What neurons stand for: the weights into each of them, by feature."""

from collections.abc import Sequence

import plotly.graph_objects as go

from mitool.analysis.superposition import SuperpositionResult
from mitool.report.figures import BLACK, BLUE, ORANGE, Figure
from mitool.report.heatmaps import add_kinds, put_legend_above
from mitool.report.panels import new_panels, places
from mitool.report.shades import ranked_shades
from mitool.report.superposition.shown import (
    UNREPRESENTED,
    Family,
    chosen,
    families_of,
    left_out,
    model_name,
)
from mitool.report.superposition.stacks import Block, Stack, stacks

MOST, MOST_NEURONS = 5, 60
"""Models of a family, and neurons of a model, that are drawn."""

IN_ROW = 48
"""Neurons of all panels side by side."""

FEW = 12
"""Features that have a colour each."""

PANEL, LOW_PANEL, LOW = 250, 190, 3
"""Pixels of a panel, and of one of more rows of them than so many."""

KINDS = {"monosemantic": BLUE, "polysemantic": ORANGE, "idle": UNREPRESENTED}
"""Colours of neurons, where features are too many to have one each."""

FADED = 0.3
"""Opacity of an idle neuron."""

ABOVE = 0.07
"""Of the axis, from a stack to the mark of a monosemantic neuron."""

SIGNED = (
    "a rectangle for each feature, as high as its weight, above the axis where it is above 0 and "
    "below it where it is below 0"
)
UNSIGNED = (
    "a rectangle for each feature, as high as the absolute value of its weight (of each neuron the "
    "largest is 1, as what a neuron's own scale is means nothing here)"
)


def basis_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """The neurons of each family, one panel for each model."""
    return tuple(map(_stacks, families_of(result.families)))


def _stacks(family: Family) -> Figure:
    models, shown = family.models, chosen(family.models, MOST)
    panels = [stacks(models, index, MOST_NEURONS) for index in shown]
    plot = _draw(panels, [model_name(models, i) for i in shown], models.cfg.n_features)
    title = family.title("Weights of neurons")
    caption = f"{_caption(family)}{left_out(models, shown)}"
    if len(panels[0]) < models.cfg.n_hidden:
        caption += f" {len(panels[0])} of {models.cfg.n_hidden:,} neurons of each are drawn."
    return Figure(family.figure_name("neurons"), title, caption, plot)


def _caption(family: Family) -> str:
    cfg = family.models.cfg
    has_neurons = cfg.hidden_activation == "relu"
    hidden = "a ReLU in the hidden layer" if has_neurons else "no activation in the hidden layer"
    few = cfg.n_features <= FEW
    colors = "the darker, the earlier the feature" if few else "coloured by the kind of neuron"
    marked = "one with a diamond is" if few else "one is"
    what = SIGNED if cfg.is_tied else UNSIGNED
    basis = (
        ""
        if has_neurons
        else " Without a ReLU any rotation of these dimensions does the same, so that they need "
        "not be features'."
    )
    return (
        f"{family.size}, {hidden}: a bar for each neuron, stacked of {what}; {colors}. Neurons "
        f"stand in the order of the importance of their largest feature; {marked} monosemantic if "
        "more than 90 % of its weights (by absolute value) are one feature's, and else "
        f"polysemantic; idle ones, which hardly take part, are last and pale.{basis}"
    )


def _draw(panels: Sequence[Sequence[Stack]], names: Sequence[str], n_features: int) -> go.Figure:
    columns = max(1, min(MOST, len(panels), IN_ROW // len(panels[0])))
    height = LOW_PANEL if len(panels) / columns > LOW else PANEL
    plot = new_panels(names, "neuron", "weight", columns=columns, height=height)
    colors = ranked_shades(n_features) if n_features <= FEW else None
    for stacked, at in zip(panels, places(len(panels), columns=columns), strict=True):
        # those side by side have one axis
        low, high = _ends(panels if columns > 1 else [stacked])
        room = ABOVE * (high - low)
        _add_stacks(plot, at, stacked, colors, room)
        plot.update_yaxes(range=[low - room, high + 2 * room], row=at[0], col=at[1])
    plot.update_xaxes(showgrid=False, tickangle=0, title_standoff=4)
    plot.update_xaxes(tickfont_size=9 if len(panels[0]) > FEW else 11)
    plot.update_yaxes(zeroline=True, zerolinecolor=BLACK)
    plot.update_layout(barmode="overlay", bargap=0.12)
    _add_legend(plot, panels, colors)
    return plot


def _add_stacks(
    plot: go.Figure,
    at: tuple[int, int],
    stacked: Sequence[Stack],
    colors: Sequence[str] | None,
    room: float,
) -> None:
    row, column = at
    plot.add_trace(_bars(stacked, colors), row, column)
    if colors is not None:
        plot.add_trace(_marks(stacked, room), row, column)
    ticks = {"tickvals": [*range(len(stacked))], "ticktext": [s.neuron for s in stacked]}
    plot.update_xaxes(**ticks, range=[-0.6, len(stacked) - 0.4], row=row, col=column)
    plot.update_yaxes(showticklabels=column == 1, row=row, col=column)


def _add_legend(
    plot: go.Figure, panels: Sequence[Sequence[Stack]], colors: Sequence[str] | None
) -> None:
    found = {stack.kind for stacked in panels for stack in stacked}
    if colors is None:
        kinds = {f"{kind} neuron": color for kind, color in KINDS.items() if kind in found}
        add_kinds(plot, kinds, symbol="square", size=11)
    else:
        kinds = {f"{index}": color for index, color in enumerate(colors)}
        add_kinds(plot, kinds, symbol="square", size=11)
        if "monosemantic" in found:
            add_kinds(plot, {"monosemantic neuron": BLACK}, symbol="diamond", size=7)
        plot.update_layout(legend_title_text="feature")
    put_legend_above(plot)


def _ends(panels: Sequence[Sequence[Stack]]) -> tuple[float, float]:
    low = min([0.0, *(stack.bottom for stacked in panels for stack in stacked)])
    high = max([0.0, *(stack.top for stacked in panels for stack in stacked)])
    return low, high if high > low else low + 1


def _bars(stacked: Sequence[Stack], colors: Sequence[str] | None) -> go.Bar:
    """All rectangles of a model."""
    at = [(x, stack, block) for x, stack in enumerate(stacked) for block in stack.blocks]
    return go.Bar(
        x=[x for x, _, _ in at],
        base=[float(f"{block.base:z.4g}") for _, _, block in at],
        y=[float(f"{block.height:z.4g}") for _, _, block in at],
        marker={
            "color": [_color(s, b, colors) for _, s, b in at],
            "opacity": [FADED if s.kind == "idle" and colors else 1 for _, s, _ in at],
            "line": {"color": "white", "width": 0.5 if colors else 0.3},
        },
        hovertext=[
            f"neuron {s.neuron} ({s.kind})<br>{_name(b)}: {b.height:z.3g}" for _, s, b in at
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _color(stack: Stack, block: Block, colors: Sequence[str] | None) -> str:
    if colors is None:
        return KINDS[stack.kind]
    return UNREPRESENTED if block.feature is None else colors[block.feature]


def _name(block: Block) -> str:
    return "small weights together" if block.feature is None else f"feature {block.feature}"


def _marks(stacked: Sequence[Stack], room: float) -> go.Scatter:
    """Diamonds above the neurons that stand for one feature."""
    at = [(x, stack.top + room) for x, stack in enumerate(stacked) if stack.kind == "monosemantic"]
    return go.Scatter(
        x=[x for x, _ in at],
        y=[float(f"{y:z.4g}") for _, y in at],
        mode="markers",
        marker={"symbol": "diamond", "size": 7, "color": BLACK},
        hovertemplate="monosemantic<extra></extra>",
        showlegend=False,
    )
