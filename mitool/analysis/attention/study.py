"""The analysis of a model's attention: what it is made on, and all that is found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from mitool.analysis.attention.answers import (
    AnswerOperand,
    AnswerRow,
    answer_operand,
    answer_row,
)
from mitool.analysis.attention.circuits import (
    chosen_tokens,
    copying_score,
    ov_eigenvalues,
    ov_on_itself,
)
from mitool.analysis.attention.composition import Composition, composition
from mitool.analysis.attention.contexts import OneTokenContexts
from mitool.analysis.attention.material import REPEATED_TOKENS, Material
from mitool.analysis.attention.observe import Observation, observe
from mitool.analysis.attention.scores import KindScore, KindScores
from mitool.analysis.attention.shown import ShownPattern, answer_labels, key_labels, shown_patterns
from mitool.analysis.attention.weights import Weights, weights_of
from mitool.tasks import NO_ANSWER


@dataclass(frozen=True)
class OnItself:
    """What the heads' OV circuits do to the output of the token that is read; [layer, head].

    Attributes:
        top1: share of tokens whose largest output is themselves.
        raised: share of tokens whose own output is above the mean of all.
        eigenvalues: of the OV circuit.
        copying_score: share of their mass with a positive real part; NaN for a head of zeros.
    """

    top1: Float[Tensor, "layer head"]
    raised: Float[Tensor, "layer head"]
    eigenvalues: Complex[Tensor, "layer head d_head"]
    copying_score: Float[Tensor, "layer head"]


@dataclass(frozen=True)
class AttentionStudy:
    """All that is found; heads are [layer, head].

    Attributes:
        weights: with the norms folded in.
        contexts: queries and keys of contexts of one token.
        labels: the tokens of a vocabulary that is small enough to be shown; else None.
        drawn: the tokens, with their labels, whose circuits are drawn: all of a small vocabulary,
            of another those of the prompts that have most attention, and the answers.
        key_labels: what stands at each place of ``observation.mean_attention``.
        answer_labels: what stands at each answer position, likewise.
        grid: (values of a, values of b) where the prompts are all pairs of operands, row by row.
        kinds: current-, previous-, duplicate-token and induction scores.
        kinds_on: what those are taken on, if that is not the prompts.
        on_itself: what OV circuits do to a token's own output; None where outputs are no tokens.
        values_cut: share of the tokens for which the model cuts the value of some head, which the
            OV circuit leaves out; by layer.
        answer_row: None where no token stands at an answer position in all prompts.
        answer_operand: how heads look at the operands that are the answer; None where answers are
            no operands.
        has_wrong_answers: whether answers are told from a wrong one each, and not from all others.
        is_causal: whether attention only looks back.
        top_places: where each head has most of its attention from the answers, with the shares:
            ``TOP_PLACES`` positions, or tokens where the prompts differ in length; by head.
        has_one_length: whether all prompts are of one length; else keys are counted back from the
            last token.
        has_common_start: whether all prompts start with the same token, which is no operand.
    """

    weights: Weights
    contexts: OneTokenContexts
    labels: tuple[str, ...] | None
    drawn: Mapping[int, str]
    key_labels: tuple[str, ...]
    answer_labels: tuple[str, ...]
    grid: tuple[int, int] | None
    observation: Observation
    kinds: dict[str, KindScore]
    kinds_on: str | None
    on_itself: OnItself | None
    values_cut: tuple[float, ...]
    answer_row: AnswerRow | None
    answer_operand: AnswerOperand | None
    has_wrong_answers: bool
    composition: Composition | None
    is_causal: bool
    top_places: tuple[tuple[tuple[str, float], ...], ...]
    has_one_length: bool
    has_common_start: bool
    shown: tuple[ShownPattern, ...]


MOST_LABELS = 4096
"""Tokens of a vocabulary that is shown whole."""

MOST_DRAWN, MOST_OF_PROMPTS = 256, 48
"""Tokens whose circuits are drawn: of a vocabulary as a whole, and of the prompts."""

TOP_PLACES = 3


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
    decoder = material.decoder
    weights = weights_of(decoder)
    contexts = OneTokenContexts(decoder, weights.W_E)
    n_layers, n_heads = weights.W_Q.shape[:2]
    are_tokens = material.outputs_are_tokens
    is_causal = decoder.is_causal
    scores = KindScores(n_layers, n_heads, causal=is_causal)
    observation = _observed(material, weights, scores, progress)
    d_vocab = len(weights.W_E)
    return AttentionStudy(
        weights=weights,
        contexts=contexts,
        labels=tuple(map(material.label, range(d_vocab))) if d_vocab <= MOST_LABELS else None,
        drawn={token: material.label(token) for token in _drawn(material, observation)},
        key_labels=key_labels(material),
        answer_labels=answer_labels(material),
        grid=material.grid,
        observation=observation,
        kinds=scores.result(),
        kinds_on=None if material.diagnostic is None else REPEATED_TOKENS,
        on_itself=_on_itself(weights, seed) if are_tokens else None,
        values_cut=tuple(map(contexts.values_cut, range(n_layers))),
        answer_row=answer_row(material, contexts),
        answer_operand=answer_operand(material, observation),
        has_wrong_answers=material.has_wrong_answers,
        composition=(composition(weights, outputs_are_tokens=are_tokens) if decoder.adds else None),
        is_causal=is_causal,
        top_places=_top_places(observation, material),
        has_one_length=material.has_one_length,
        has_common_start=material.has_common_start,
        shown=shown_patterns(material, observation.losses, seed),
    )


def _on_itself(weights: Weights, seed: int) -> OnItself:
    n_layers, n_heads = weights.W_Q.shape[:2]
    tokens = chosen_tokens(weights.W_U.shape[1], seed)
    own = [ov_on_itself(weights, *at, tokens) for at in weights.heads]
    eigenvalues = torch.stack([ov_eigenvalues(weights, *at) for at in weights.heads])
    return OnItself(
        top1=_by_head([found.top1 for found in own], n_layers),
        raised=_by_head([found.raised for found in own], n_layers),
        eigenvalues=eigenvalues.unflatten(0, (n_layers, n_heads)),
        copying_score=_by_head([copying_score(values) for values in eigenvalues], n_layers),
    )


def _observed(
    material: Material,
    weights: Weights,
    scores: KindScores,
    progress: Callable[[int, int], None],
) -> Observation:
    """What heads do on the prompts; kinds of heads are scored there, or on what is made for it."""
    if material.diagnostic is not None:
        observe(material.decoder, weights, [material.diagnostic], scores=scores)
    return observe(
        material.decoder,
        weights,
        material.prompts,
        operand_positions=material.operand_positions,
        scores=scores if material.diagnostic is None else None,
        is_right=material.is_right,
        progress=progress,
    )


def _drawn(material: Material, observation: Observation) -> list[int]:
    """The tokens whose circuits are drawn."""
    share = observation.by_token.mean(dim=(0, 1))
    if len(share) <= MOST_DRAWN:
        return list(range(len(share)))
    most = share.topk(MOST_OF_PROMPTS)
    tokens = set(most.indices[most.values > 0].tolist())
    for prompts in material.prompts:
        for answers in (prompts.targets, prompts.others):
            if answers is not None:
                tokens |= set(answers[answers != NO_ANSWER].unique().tolist()[:MOST_OF_PROMPTS])
    return sorted(tokens)


def _top_places(
    observation: Observation, material: Material
) -> tuple[tuple[tuple[str, float], ...], ...]:
    by_position = material.has_one_length
    shares = observation.mean_attention.mean(dim=2) if by_position else observation.by_token
    top = shares.flatten(end_dim=1).topk(min(TOP_PLACES, shares.shape[-1]))
    labels = [f"position {label}" for label in key_labels(material)] if by_position else None
    return tuple(
        tuple(
            (labels[place] if labels else repr(material.label(place)), share)
            for place, share in zip(places, values, strict=True)
        )
        for places, values in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    )


def _by_head(values: Sequence[float | None], n_layers: int) -> Float[Tensor, "layer head"]:
    known = [torch.nan if value is None else value for value in values]
    return torch.tensor(known, dtype=torch.float64).unflatten(0, (n_layers, -1))
