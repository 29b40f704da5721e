"""The measures of all heads side by side."""

import math
from collections.abc import Mapping

import plotly.graph_objects as go
from torch import Tensor

from mitool.analysis.attention import AttentionStudy
from mitool.analysis.attention.attribution import DirectAttribution
from mitool.analysis.attention.study import OnItself
from mitool.report.attention.heads import left_out, name, ranked
from mitool.report.figures import BLUE, Figure, label, new_plot
from mitool.report.heatmaps import heatmap, heatmap_panels, write_numbers
from mitool.report.panels import LEAST_WIDTH, new_panels, places

MOST_EIGENVALUES = 12
"""Heads whose eigenvalues are drawn."""

MEANINGS = {
    "current-token": "of its attention, the share on the token itself",
    "previous-token": "on the token before",
    "duplicate-token": "on earlier occurrences of the same token",
    "induction": "on what followed earlier occurrences of the same token",
    "copying score": "the share of the OV circuit's eigenvalues, by size, that has a positive real "
    "part",
    "OV top-1": "the share of tokens for which the head writes most to the token itself",
    "OV raised": "the share of tokens for which it writes more to the token itself than on average",
    "attends to the answer": "the share of examples in which it looks most at an operand that is "
    "the answer, of those with a choice",
}


def measure_figures(study: AttentionStudy) -> list[Figure]:
    """Shares from 0 to 1 on one scale, then entropy and attribution, then eigenvalues where these
    say something.
    """
    figures = [_shares(study)]
    if len(study.weights.heads) > 1:
        figures += [_entropy(study), *_attribution(study)]
    return figures if study.on_itself is None else [*figures, _eigenvalues(study, study.on_itself)]


def _shares(study: AttentionStudy) -> Figure:
    measures, chances = _known(study)
    titles = {
        measure: f"{measure}\n(chance {chances[measure]:z.2g})" if measure in chances else measure
        for measure in measures
    }
    is_one = len(study.weights.heads) == 1
    if is_one:
        plot = _bars({titles[measure]: values.item() for measure, values in measures.items()})
    else:
        n_layers, n_heads = study.weights.W_Q.shape[:2]
        plot = heatmap_panels(
            {titles[measure]: values for measure, values in measures.items()},
            "head",
            "layer",
            "share",
            x=_numbers(n_heads),
            y=_numbers(n_layers),
            height=max(90, 26 * n_layers),
        )
        plot.update_layout(coloraxis={"cmin": 0, "cmax": 1}, meta={"least_width": LEAST_WIDTH})
        write_numbers(plot)
        plot.update_yaxes(autorange="reversed")
    meanings = "; ".join(f"{measure}: {MEANINGS[measure]}" for measure in measures)
    unknown = [_kind_name(kind) for kind, kept in study.kinds.items() if not kept.n_queries]
    unknown += ["copying score, OV top-1, OV raised"] if study.on_itself is None else []
    where = f" The scores of kinds are taken on {study.kinds_on}." if study.kinds_on else ""
    missing = f" Undefined here: {', '.join(unknown)}." if unknown else ""
    return Figure(
        "measures",
        "What kind of head it is" if is_one else "What kind of head each one is",
        f"Measures from 0 to 1. {meanings[0].upper()}{meanings[1:]}. Chance is what the same "
        "attention scores if permuted at random over the keys that each query sees; of the answer, "
        f"how often an operand drawn evenly is it.{where}{missing}",
        plot,
    )


def _known(study: AttentionStudy) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The measures that are defined, and the scores by chance of those that have one."""
    kinds = {_kind_name(kind): kept for kind, kept in study.kinds.items()}
    measures = {kind: kept.scores for kind, kept in kinds.items() if kept.n_queries}
    chances = {kind: kept.chance for kind, kept in kinds.items() if math.isfinite(kept.chance)}
    if (own := study.on_itself) is not None:
        chances["OV top-1"] = 1 / study.weights.W_U.shape[1]
        measures["copying score"] = own.copying_score
        measures |= {"OV top-1": own.top1, "OV raised": own.raised}
    if (of := study.answer_operand) is not None:
        chances["attends to the answer"] = of.chance
        measures["attends to the answer"] = of.share
    return measures, chances


def _kind_name(kind: str) -> str:
    return kind.replace("_", "-")


def _bars(values: Mapping[str, float]) -> go.Figure:
    plot = new_plot("share", "")
    drawn = dict(reversed(list(values.items())))
    plot.add_bar(
        orientation="h",
        y=[label(measure.replace("\n", " ")) for measure in drawn],
        x=[round(value, 4) for value in drawn.values()],
        text=[f"{value:z.3f}" for value in drawn.values()],
        textposition="outside",
        marker_color=BLUE,
        cliponaxis=False,
    )
    plot.update_xaxes(range=(0, 1.12), tickvals=[0, 0.25, 0.5, 0.75, 1])
    plot.update_yaxes(type="category")
    return plot.update_layout(height=130 + 46 * len(drawn))


def _entropy(study: AttentionStudy) -> Figure:
    return Figure(
        "entropy",
        "Entropy of attention",
        "Of the attention from the answer positions, in nats, as a mean over them and all prompts: "
        "0 where a head looks at a single key; e to its power is about the number of keys "
        "looked at.",
        _by_head(study, study.observation.entropy, "nats"),
    )


def _attribution(study: AttentionStudy) -> list[Figure]:
    attribution = study.observation.attribution
    if attribution is None:
        return []
    return [
        Figure(
            "attribution",
            "Direct logit attribution",
            "What each head adds by itself, through the unembedding, to the logit of the right "
            "answer, less what it adds to the wrong one (or, where none is given, to the mean of "
            "all outputs); a mean over all answers. What it adds by way of later heads and neurons "
            f"is not in it. {_sum(attribution)}",
            _by_head(study, attribution.heads, "logits", diverging=True),
        )
    ]


def _sum(found: DirectAttribution) -> str:
    """How the parts of a model add up to the logits."""
    parts = {
        "the embedding": found.embed,
        "heads": found.heads.sum(),
        "MLPs": found.mlps.sum(),
        "biases": found.biases,
    }
    added = ", ".join(f"{name} {value.item():+z.3g}" for name, value in parts.items())
    return f"All parts add up to the difference of the logits, {found.total.item():z.3g}: {added}."


def _by_head(
    study: AttentionStudy, values: Tensor, unit: str, *, diverging: bool = False
) -> go.Figure:
    n_layers, n_heads = values.shape
    plot = heatmap(
        values,
        "head",
        "layer",
        unit,
        diverging=diverging,
        x=_numbers(n_heads),
        y=_numbers(n_layers),
        height=150 + max(90, 36 * n_layers),
    )
    if not diverging:
        plot.update_traces(zmin=0, zmax=values.max().item() or 1)
    write_numbers(plot)
    return plot.update_yaxes(autorange="reversed")


def _numbers(n: int) -> list[str]:
    return [str(number) for number in range(n)]


def _eigenvalues(study: AttentionStudy, own: OnItself) -> Figure:
    heads = sorted(ranked(study)[:MOST_EIGENVALUES])
    side = 300 if len(heads) == 1 else None
    plot = new_panels(
        [name(head) for head in heads], "real part", "imaginary part", shared=True, height=side
    )
    for head, (row, column) in zip(heads, places(len(heads), shared=True), strict=True):
        values = own.eigenvalues[head]
        largest = values.abs().max().item() or 1.0
        plot.add_scatter(
            x=[round(value, 4) for value in (values.real / largest).tolist()],
            y=[round(value, 4) for value in (values.imag / largest).tolist()],
            mode="markers",
            marker={"size": 6, "color": BLUE, "opacity": 0.7},
            hovertemplate="%{x:.3f} + %{y:.3f} i<extra></extra>",
            showlegend=False,
            row=row,
            col=column,
        )
    plot.update_xaxes(range=(-1.1, 1.1), zeroline=True, zerolinecolor="#9CA3AF", tickfont_size=11)
    plot.update_yaxes(range=(-1.1, 1.1), zeroline=True, zerolinecolor="#9CA3AF", tickfont_size=11)
    return Figure(
        "ov_eigenvalues",
        "Eigenvalues of the OV circuits",
        "Those that need not be 0, in the complex plane, each head's divided by its largest size. "
        "To the right of 0 they raise the output of what is read, on the whole; to the left they "
        "lower it. The copying score is the share of their sizes on the right."
        f"{left_out(study, heads)}",
        plot,
    )
