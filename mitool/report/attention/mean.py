"""Mean attention from the answers."""

import plotly.graph_objects as go

from mitool.analysis.attention import AttentionStudy
from mitool.analysis.attention.observe import OFFSETS
from mitool.analysis.attention.result import head_names
from mitool.report.attention.heads import left_out, name, ranked
from mitool.report.figures import BLUE, Figure, label, new_plot
from mitool.report.heatmaps import heatmap, heatmap_panels, write_numbers

MOST_HEADS = 12
"""Heads with a panel of their own."""

UNIT = "attention"


def mean_figures(study: AttentionStudy) -> list[Figure]:
    """Mean attention of each head from each answer position."""
    n_answers = len(study.answer_labels)
    one_length = study.has_one_length
    where = f"position {study.answer_labels[0]}" if one_length else "the last token"
    note = ""
    if n_answers > 1:
        drawn = sorted(ranked(study)[:MOST_HEADS])
        plot, where = _by_answer(study, drawn), "each answer position (the rows)"
        note = left_out(study, drawn)
    elif len(study.weights.heads) == 1:
        plot = _bars(study)
    else:
        plot = _by_head(study)
    if not one_length:
        note += (
            " The prompts differ in length, so that keys are counted back from the last token; "
            f"the first token has a column of its own. Of a prompt only the {OFFSETS} nearest are "
            "drawn, and a short one has fewer, so that a row need not sum to 1."
        )
    return [
        Figure(
            "mean_attention",
            "Mean attention from the answer positions",
            f"The share of its attention that a head gives to each key from {where}, where the "
            f"answer is read off, as a mean over all prompts.{note}",
            plot,
        )
    ]


def _bars(study: AttentionStudy) -> go.Figure:
    plot = new_plot("key position", "mean attention")
    shares = study.observation.mean_attention[0, 0, 0].tolist()
    plot.add_bar(
        x=[label(key) for key in study.key_labels],
        y=[round(share, 4) for share in shares],
        text=[f"{share:z.2f}" for share in shares],
        marker_color=BLUE,
        hovertemplate="%{x}: %{y:.4g}<extra></extra>",
    )
    plot.update_xaxes(type="category")
    plot.update_yaxes(range=(0, 1.05))
    return plot


def _by_head(study: AttentionStudy) -> go.Figure:
    names = head_names(study)
    plot = heatmap(
        study.observation.mean_attention[:, :, 0].flatten(end_dim=1),
        "key position" if study.has_one_length else "key",
        "head",
        UNIT,
        x=study.key_labels,
        y=names,
        height=190 + max(24 * min(len(names), 12), 16 * min(len(names), 96)),
    )
    plot.update_traces(zmin=0, zmax=1)
    write_numbers(plot)
    plot.update_yaxes(autorange="reversed", tickfont_size=11)
    return plot


def _by_answer(study: AttentionStudy, drawn: list[tuple[int, int]]) -> go.Figure:
    plot = heatmap_panels(
        {name(head): study.observation.mean_attention[head] for head in drawn},
        "key position",
        "answer position",
        UNIT,
        x=study.key_labels,
        y=study.answer_labels,
    )
    plot.update_layout(coloraxis={"cmin": 0, "cmax": 1})
    write_numbers(plot)
    return plot.update_yaxes(autorange="reversed")
