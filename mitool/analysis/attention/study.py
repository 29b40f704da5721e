"""The analysis of a model's attention: what it is made on, and all that is found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from mitool.analysis.attention.circuits import (
    Factors,
    chosen_tokens,
    copying_score,
    ov_circuit,
    ov_eigenvalues,
    ov_top1,
    qk_circuit,
)
from mitool.analysis.attention.composition import Composition, composition
from mitool.analysis.attention.observe import Observation, forward, observe
from mitool.analysis.attention.scores import KindScore, KindScores
from mitool.analysis.attention.weights import Weights, weights_of
from mitool.device import generator
from mitool.prompts import Prompts


@dataclass(frozen=True, kw_only=True)
class Material:
    """A model with what its attention is looked at on.

    Attributes:
        label: a token as a reader sees it.
        prompts: in groups of one length.
        n_shown: of how many prompts the patterns are kept.
        shows_hardest: half of those are the ones with the largest loss and the others are drawn;
            else they are the first.
        diagnostic: what kinds of heads are scored on; None where that is the prompts.
        operand_positions: the positions of the operands of the answers, if they have some.
        copies_operand: whether every answer is one of the operands.
        grid: (values of a, values of b) where the prompts are all pairs of operands, row by row.
        values: the value of each output that is a number, by token.
    """

    bridge: TransformerBridge
    label: Callable[[int], str]
    prompts: Sequence[Prompts]
    n_shown: int
    shows_hardest: bool = False
    diagnostic: Prompts | None = None
    operand_positions: tuple[int, ...] = ()
    copies_operand: bool = False
    grid: tuple[int, int] | None = None
    values: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ShownPattern:
    """Attention on one example.

    Attributes:
        title: which example it is.
        labels: its tokens.
        pattern: of every head.
    """

    title: str
    labels: tuple[str, ...]
    pattern: Float[Tensor, "layer head query key"]


@dataclass(frozen=True)
class AnswerRow:
    """How the token at an answer position scores every token, by content alone.

    Attributes:
        token: that token, the same in all prompts.
        scores: its row of each head's QK circuit.
        rank_correlation: Spearman's, of the scores with the tokens' values; None where the
            outputs are no numbers.
    """

    token: int
    scores: Float[Tensor, "layer head d_vocab"]
    rank_correlation: Float[Tensor, "layer head"] | None


@dataclass(frozen=True)
class AttentionStudy:
    """All that is found; heads are [layer, head].

    Attributes:
        weights: with the norms folded in.
        labels: the tokens of a vocabulary that is small enough to be shown; else None.
        key_labels: what stands at each place of ``observation.mean_attention``.
        kinds: previous-token, duplicate-token and induction scores.
        ov_top1: share of tokens whose largest output is themselves.
        ov_eigenvalues: of the OV circuit.
        copying_score: share of their mass with a positive real part; NaN for a head of zeros.
        answer_row: None where no token stands at an answer position in all prompts.
        to_answer_operand: share of the answers with a choice of operands for which the head's
            attention is largest on one that is the answer; None where answers are no operands.
        has_common_start: whether all prompts start with the same token, which is no operand.
    """

    weights: Weights
    labels: tuple[str, ...] | None
    key_labels: tuple[str, ...]
    answer_labels: tuple[str, ...]
    grid: tuple[int, int] | None
    observation: Observation
    kinds: dict[str, KindScore]
    ov_top1: Float[Tensor, "layer head"]
    ov_eigenvalues: Complex[Tensor, "layer head d_head"]
    copying_score: Float[Tensor, "layer head"]
    answer_row: AnswerRow | None
    to_answer_operand: Float[Tensor, "layer head"] | None
    composition: Composition | None
    has_common_start: bool
    shown: tuple[ShownPattern, ...]


MOST_LABELS = 4096
"""Tokens of a vocabulary that is shown whole."""


def study(
    material: Material,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> AttentionStudy:
    """Look at everything.

    Args:
        seed: of the tokens that are drawn from a large vocabulary.
        progress: told of the prompts done, and of all.
    """
    bridge, prompts = material.bridge, material.prompts
    weights = weights_of(bridge)
    n_layers, n_heads = weights.W_Q.shape[:2]
    scores = KindScores(n_layers, n_heads, causal=bridge.cfg.attention_dir == "causal")
    if material.diagnostic is not None:
        observe(bridge, weights, [material.diagnostic], scores=scores)
    observation = observe(
        bridge,
        weights,
        prompts,
        operand_positions=material.operand_positions,
        scores=scores if material.diagnostic is None else None,
        progress=progress,
    )
    tokens = chosen_tokens(weights.W_U.shape[1], seed)
    top1 = [ov_top1(ov_circuit(weights, *at), tokens) for at in weights.heads]
    eigenvalues = torch.stack([ov_eigenvalues(weights, *at) for at in weights.heads])
    copying = [copying_score(values) for values in eigenvalues]
    d_vocab = len(weights.W_E)
    return AttentionStudy(
        weights=weights,
        labels=tuple(map(material.label, range(d_vocab))) if d_vocab <= MOST_LABELS else None,
        key_labels=_key_labels(material),
        answer_labels=_answer_labels(material),
        grid=material.grid,
        observation=observation,
        kinds=scores.result(),
        ov_top1=_by_head(top1, n_layers),
        ov_eigenvalues=eigenvalues.unflatten(0, (n_layers, n_heads)),
        copying_score=_by_head(copying, n_layers),
        answer_row=_answer_row(material, weights),
        to_answer_operand=_to_answer_operand(material, observation),
        composition=composition(weights),
        has_common_start=_has_common_start(material),
        shown=tuple(_shown(material, *one) for one in _chosen(material, observation, seed)),
    )


def _by_head(values: Sequence[float | None], n_layers: int) -> Float[Tensor, "layer head"]:
    known = [torch.nan if value is None else value for value in values]
    return torch.tensor(known, dtype=torch.float64).unflatten(0, (n_layers, -1))


def spearman(
    rows: Float[Tensor, "*row item"], values: Float[Tensor, " item"]
) -> Float[Tensor, "*row"]:
    """Spearman's rank correlation of each row with ``values``; ties share their mean rank."""
    ranks = torch.stack([_ranks(row) for row in rows.flatten(end_dim=-2)]).view(rows.shape)
    ranks, other = (x - x.mean(dim=-1, keepdim=True) for x in (ranks, _ranks(values)))
    return (ranks * other).sum(dim=-1) / (ranks.norm(dim=-1) * other.norm())


def _ranks(values: Float[Tensor, " item"]) -> Float[Tensor, " item"]:
    _, index, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts - 1) / 2)[index]


def _answer_row(material: Material, weights: Weights) -> AnswerRow | None:
    token = _constant_token(material.prompts)
    if token is None:
        return None
    n_layers, n_heads = weights.W_Q.shape[:2]
    rows = torch.cat([qk_circuit(weights, *at).rows(torch.tensor([token])) for at in weights.heads])
    scores = rows.unflatten(0, (n_layers, n_heads))
    correlation = None
    if len(material.values) > 2:
        known = torch.tensor(list(material.values))
        values = torch.tensor(list(material.values.values()), dtype=torch.float64)
        correlation = spearman(scores[..., known], values)
    return AnswerRow(token, scores, correlation)


def _constant_token(groups: Sequence[Prompts]) -> int | None:
    """The token at the first answer position that holds the same one in all prompts."""
    for answer in range(len(groups[0].answer_positions)):
        found = torch.cat([p.tokens[:, p.answer_positions[answer]] for p in groups])
        if len(found) > 1 and (found == found[0]).all():
            return int(found[0])
    return None


def _to_answer_operand(
    material: Material, observation: Observation
) -> Float[Tensor, "layer head"] | None:
    attention = observation.operands
    if attention is None or not material.copies_operand:
        return None
    places = list(material.operand_positions)
    is_answer = torch.cat(
        [
            p.tokens[:, None, places] == p.targets[:, :, None]
            for p in material.prompts
            if p.targets is not None
        ]
    )
    has_choice: Bool[Tensor, "example answer"] = is_answer.any(dim=-1) & ~is_answer.all(dim=-1)
    if not has_choice.any():
        return None
    most = attention.argmax(dim=-1, keepdim=True)
    hit = is_answer.expand(*attention.shape).gather(-1, most)[..., 0]
    return hit[:, :, has_choice].double().mean(dim=-1)


def _key_labels(material: Material) -> tuple[str, ...]:
    """The token at each position, where it is the same in all prompts, or the position."""
    first = material.prompts[0]
    if len({p.tokens.shape[1] for p in material.prompts}) > 1:
        from_last = (f"{-back}" if back else "itself" for back in range(16))
        return ("first token", *from_last)
    return tuple(_at(first, position, material.label) for position in range(first.tokens.shape[1]))


def _answer_labels(material: Material) -> tuple[str, ...]:
    first = material.prompts[0]
    if len({p.tokens.shape[1] for p in material.prompts}) > 1:
        return ("last token",)
    return tuple(_at(first, position, material.label) for position in first.answer_positions)


def _at(prompts: Prompts, position: int, label: Callable[[int], str]) -> str:
    found = prompts.tokens[:, position]
    is_same = len(found) > 1 and bool((found == found[0]).all())
    return f"{position}: {label(int(found[0]))}" if is_same else str(position)


def _has_common_start(material: Material) -> bool:
    first = torch.cat([prompts.tokens[:, 0] for prompts in material.prompts])
    return 0 not in material.operand_positions and bool((first == first[0]).all())


def _chosen(
    material: Material, observation: Observation, seed: int
) -> list[tuple[str, Int[Tensor, " pos"]]]:
    """The prompts whose patterns are kept, each with a title."""
    every = [tokens for prompts in material.prompts for tokens in prompts.tokens.unbind()]
    n = min(material.n_shown, len(every))
    if not material.shows_hardest or observation.losses is None:
        return [(f"prompt {index + 1}", every[index]) for index in range(n)]
    hardest = observation.losses.topk(n // 2)
    titles = [f"loss {loss:.3g}" for loss in hardest.values.tolist()]
    drawn = torch.randperm(len(every), generator=generator(seed, "shown"))[: n - n // 2].tolist()
    return [
        *((title, every[i]) for title, i in zip(titles, hardest.indices.tolist(), strict=True)),
        *((f"drawn {number + 1}", every[i]) for number, i in enumerate(drawn)),
    ]


def _shown(material: Material, title: str, tokens: Int[Tensor, " pos"]) -> ShownPattern:
    seen = forward(material.bridge, Prompts(tokens[None], (len(tokens) - 1,)))
    labels = tuple(material.label(token) for token in tokens.tolist())
    return ShownPattern(title, labels, seen.patterns[:, 0])


def circuits_shown(study: AttentionStudy) -> dict[str, tuple[Factors, Factors]]:
    """(OV, QK) of each head by its name, of a vocabulary that is small enough to be shown."""
    if study.labels is None:
        return {}
    weights = study.weights
    return {
        f"L{layer}H{head}": (ov_circuit(weights, layer, head), qk_circuit(weights, layer, head))
        for layer, head in weights.heads
    }
