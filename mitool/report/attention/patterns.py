"""Attention patterns on examples: a figure for each layer, in which a menu changes the example."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from mitool.analysis.attention import AttentionStudy
from mitool.analysis.attention.shown import ShownPattern
from mitool.report.attention.heads import Head, left_out, name, ranked
from mitool.report.figures import Figure, label
from mitool.report.heatmaps import MOST_CELLS, cells, heatmap_panels, thinning, write_numbers

MOST_NUMBERS, BESIDE_CIRCUITS = 1_200_000, 400_000
"""Numbers in all patterns of a page, and of one that shows full circuits too; one takes up about
5 bytes."""

LEAST_HEADS, MOST_HEADS = 8, 144
"""Heads that are drawn whatever the length of the prompts, and at most."""

MAX_EXAMPLE = 48
"""Letters of an example in the menu."""


def pattern_figures(study: AttentionStudy) -> list[Figure]:
    """The patterns of each layer's heads."""
    if not study.shown:
        return []
    heads, examples = _chosen(study)
    layers = sorted({layer for layer, _ in heads})
    return [_layer(study, [h for h in heads if h[0] == layer], examples, heads) for layer in layers]


def _chosen(study: AttentionStudy) -> tuple[list[Head], list[ShownPattern]]:
    """As many heads and examples as a page can hold, of the examples at least one."""
    sizes = [min(len(shown.labels), MOST_CELLS) ** 2 for shown in study.shown]
    most = MOST_NUMBERS if study.labels is None else BESIDE_CIRCUITS
    fit = max(LEAST_HEADS, most // sizes[0])
    heads = sorted(ranked(study)[: min(fit, MOST_HEADS)])
    for n in range(len(study.shown), 1, -1):
        chosen = [index * len(sizes) // n for index in range(n)]
        if len(heads) * sum(sizes[index] for index in chosen) <= most:
            return heads, [study.shown[index] for index in chosen]
    return heads, [study.shown[0]]


def _layer(
    study: AttentionStudy, mine: Sequence[Head], examples: Sequence[ShownPattern], heads: list[Head]
) -> Figure:
    layer, first = mine[0][0], examples[0]
    names = token_names(first)
    plot = heatmap_panels(
        {name(head): first.pattern[head] for head in mine},
        "key",
        "query",
        "attention",
        x=names,
        y=names,
    )
    plot.update_layout(coloraxis={"cmin": 0, "cmax": 1})
    plot.update_yaxes(autorange="reversed")
    write_numbers(plot)
    choice = f"The example is {_menu_name(first, 10**6, escaped=False)}."
    if len(examples) > 1:
        _add_menu(plot, mine, examples)
        choice = "The menu above changes the example; an image shows the first one."
    if len(examples) < len(study.shown):
        choice += f" {len(examples)} of {len(study.shown)} examples are kept on this page."
    return Figure(
        f"patterns_layer{layer}",
        f"Attention patterns, layer {layer}",
        "Each row is a token that looks (query), each column a token that it looks at (key); the "
        f"shares of a row add up to 1. Tokens are numbered by position. {choice}"
        f"{left_out(study, heads)}{thinning(first.pattern[mine[0]])}",
        plot,
    )


def _add_menu(plot: go.Figure, mine: Sequence[Head], examples: Sequence[ShownPattern]) -> None:
    buttons = [
        {
            "label": _menu_name(shown, MAX_EXAMPLE),
            "method": "restyle",
            "args": [_traces(mine, shown)],
        }
        for shown in examples
    ]
    # above the names of the panels, wherever the top of the plot may be
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"}
    plot.update_layout(updatemenus=[menu | {"pad": {"b": 26}, "font": {"size": 13}}])


def _traces(mine: Sequence[Head], shown: ShownPattern) -> dict[str, list[Any]]:
    """The cells of each panel's heatmap."""
    names = token_names(shown)
    panels = [cells(shown.pattern[head], names, names) for head in mine]
    return {key: [panel[key] for panel in panels] for key in ("z", "x", "y")}


def token_names(shown: ShownPattern) -> list[str]:
    """Its tokens by position, so that no two have one name."""
    return [f"{position}: {token}" for position, token in enumerate(shown.labels)]


def _menu_name(shown: ShownPattern, limit: int, *, escaped: bool = True) -> str:
    whole = f"{shown.title}: {' '.join(shown.labels)}"
    return label(whole, limit) if escaped else whole
