"""The row of the QK circuits that matters: what the token at the answer position looks for."""

import plotly.graph_objects as go

from mitool.analysis.attention import AttentionStudy
from mitool.report.attention.circuits import BY_TOKENS
from mitool.report.attention.heads import Head, left_out, name, ranked
from mitool.report.figures import BLUE, Figure
from mitool.report.heatmaps import distinct
from mitool.report.panels import new_panels, places

MOST_HEADS = 6

WHOLE, LARGEST = 256, 12
"""Tokens of a vocabulary that is drawn whole; of a larger one those with the largest scores."""


def answer_row_figures(study: AttentionStudy) -> list[Figure]:
    """Nothing where the vocabulary is too large, or no token is the same in all prompts."""
    row, labels = study.answer_row, study.labels
    if row is None or labels is None:
        return []
    of_layer = [head for head in ranked(study) if head[0] == 0]  # later ones read more than this
    heads = of_layer[:MOST_HEADS]
    token, whole = labels[row.token], len(labels) <= WHOLE
    drawn = "" if whole else f" Of {len(labels)} tokens, the {LARGEST} with the largest scores."
    later = (
        " Drawn for the first layer only: later ones also read what earlier ones wrote."
        if len(study.weights.W_Q) > 1
        else ""
    )
    missing = left_out(study, heads, len(of_layer))
    return [
        Figure(
            "qk_answer_row",
            f"What the token {token} at the answer position looks for",
            f"The attention score (before the softmax) that the token {token}, which stands at the "
            "answer position, gives to each token by what it is: a row of the QK circuit. Only "
            f"differences between tokens matter. {BY_TOKENS}.{later}{drawn}{missing}",
            _bars(study, heads, list(labels), whole=whole),
        )
    ]


def _bars(study: AttentionStudy, heads: list[Head], labels: list[str], *, whole: bool) -> go.Figure:
    assert study.answer_row is not None
    plot = new_panels(
        [name(head) for head in heads], "key token", "score", height=220, long_labels=True
    )
    for head, (row, column) in zip(heads, places(len(heads)), strict=True):
        scores = study.answer_row.scores[head]
        tokens = range(len(labels)) if whole else scores.topk(LARGEST).indices.tolist()
        plot.add_bar(
            x=distinct(labels, tokens),
            y=[float(f"{scores[token].item():z.4g}") for token in tokens],
            marker_color=BLUE,
            hovertemplate="%{x}: %{y:.4g}<extra></extra>",
            showlegend=False,
            row=row,
            col=column,
        )
    plot.update_xaxes(type="category", tickfont_size=11)
    return plot
