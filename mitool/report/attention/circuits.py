"""Full circuits: what the heads write for each token, and look for at each, by weights alone."""

import torch
from torch import Tensor

from mitool.analysis.attention import AttentionStudy
from mitool.analysis.attention.circuits import ov_circuit, positional_circuit, qk_circuit
from mitool.report.attention.heads import Head, left_out, name, ranked
from mitool.report.figures import Figure
from mitool.report.heatmaps import heatmap_panels, thinning

MOST_HEADS, TOGETHER = 8, 4
"""Heads that are drawn, and in one figure."""

FOLDED = "Weights of norms are folded in; their scale on an example is left out, and so are biases"
BY_TOKENS = "Scores are those of a stream that holds a token's embedding alone, at one position"


def circuit_figures(study: AttentionStudy) -> list[Figure]:
    """OV and QK circuits of a vocabulary that is shown, and circuits of positions."""
    return [*_token_circuits(study), *_positions(study)]


def _token_circuits(study: AttentionStudy) -> list[Figure]:
    heads = ranked(study)[:MOST_HEADS]
    groups = [heads[start : start + TOGETHER] for start in range(0, len(heads), TOGETHER)]
    figures = [_ov(study, group, part, heads) for part, group in enumerate(groups, 1)]
    return figures + [_qk(study, group, part, heads) for part, group in enumerate(groups, 1)]


def _ov(study: AttentionStudy, group: list[Head], part: int, heads: list[Head]) -> Figure:
    weights, tokens = study.weights, torch.tensor(list(study.drawn))
    outputs = tokens[tokens < weights.W_U.shape[1]]
    circuits = {name(head): ov_circuit(weights, *head).cells(tokens, outputs) for head in group}
    names = [study.drawn[token] for token in outputs.tolist()]
    diagonal = " On the diagonal, red copies and blue suppresses."
    if study.on_itself is None:
        names, diagonal = [f"output {output}" for output in outputs.tolist()], ""
    plot = heatmap_panels(
        circuits,
        "output",
        "source token",
        "logits",
        diverging=True,
        x=names,
        y=list(study.drawn.values()),
    )
    return Figure(
        _numbered("ov_circuits", part),
        _titled("OV circuits: what a head writes for the token it looks at", part),
        "Each row is a token that the head looks at, each column an output, the colour what full "
        f"attention to the token adds to the output's logit.{diagonal} {FOLDED}."
        f"{_tokens(study)}{left_out(study, heads)}"
        f"{thinning(next(iter(circuits.values())))}",
        plot.update_yaxes(autorange="reversed"),
    )


def _qk(study: AttentionStudy, group: list[Head], part: int, heads: list[Head]) -> Figure:
    tokens, labels = torch.tensor(list(study.drawn)), list(study.drawn.values())
    circuits = {
        name(head): qk_circuit(study.contexts, *head, tokens, tokens).dense() for head in group
    }
    plot = heatmap_panels(
        circuits,
        "key token",
        "query token",
        "score",
        diverging=True,
        x=labels,
        y=labels,
    )
    return Figure(
        _numbered("qk_circuits", part),
        _titled("QK circuits: which token a head looks for", part),
        "The attention score (before the softmax) that each query token gives to each key token "
        "by what the tokens are. A constant added to a whole row changes "
        f"nothing. {BY_TOKENS}.{_beyond_first_layer(group)}{_tokens(study)}{left_out(study, heads)}"
        f"{thinning(next(iter(circuits.values())))}",
        plot.update_yaxes(autorange="reversed"),
    )


def _tokens(study: AttentionStudy) -> str:
    n = len(study.weights.W_E)
    if len(study.drawn) == n:
        return ""
    return (
        f" Of {n:,} tokens, {len(study.drawn)} of the prompts are drawn, those with most attention "
        "and the answers."
    )


def _positions(study: AttentionStudy) -> list[Figure]:
    of_layer = [head for head in ranked(study) if head[0] == 0]
    heads = sorted(of_layer[:MOST_HEADS])
    circuits: dict[str, Tensor] = {}
    for head in heads:
        if (factors := positional_circuit(study.contexts, study.weights, *head)) is not None:
            circuits[name(head)] = _seen(factors.dense(), study.is_causal)
    if not circuits:
        return []
    seen = "; keys that a query cannot see are left blank" if study.is_causal else ""
    first = "" if len(study.weights.W_Q) == 1 else " of the first layer"
    n_ctx = range(len(next(iter(circuits.values()))))
    plot = heatmap_panels(
        circuits, "key position", "query position", "score", diverging=True, x=n_ctx, y=n_ctx
    )
    return [
        Figure(
            "positional_circuits",
            f"QK circuits of positions{first}",
            "The attention score (before the softmax) that each query position gives to each key "
            f"position by the embedding of positions alone{seen}. {FOLDED}. Later layers read "
            "what earlier ones wrote, so that this is drawn for the first layer only."
            f"{left_out(study, heads, len(of_layer))}{thinning(next(iter(circuits.values())))}",
            plot.update_yaxes(autorange="reversed"),
        )
    ]


def _seen(scores: Tensor, causal: bool) -> Tensor:
    ahead = torch.ones_like(scores, dtype=torch.bool).triu(diagonal=1)
    return scores.masked_fill(ahead, torch.nan) if causal else scores


def _beyond_first_layer(heads: list[Head]) -> str:
    if not any(layer for layer, _ in heads):
        return ""
    return " In layers after the first, heads also read what earlier ones wrote, which is left out."


def _numbered(figure: str, part: int) -> str:
    return figure if part == 1 else f"{figure}_{part}"


def _titled(title: str, part: int) -> str:
    return title if part == 1 else f"{title} ({part})"
