"""What the answers' own token looks for, and whether a head finds it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.attention.circuits import qk_circuit
from mitool.analysis.attention.contexts import OneTokenContexts
from mitool.analysis.attention.material import Material
from mitool.analysis.attention.observe import Observation
from mitool.analysis.statistics import spearman
from mitool.pairs.prompts import Prompts


@dataclass(frozen=True)
class AnswerOperand:
    """How a head looks at the operands that are the answer, over the answers that leave it a
    choice: where some operands are the answer and others are not.

    Attributes:
        share: of these answers, those for which its attention is largest on such an operand.
        attention: on all such operands together, mean.
        chance: the share by an operand that is drawn evenly.
    """

    share: Float[Tensor, "layer head"]
    attention: Float[Tensor, "layer head"]
    chance: float


@dataclass(frozen=True)
class AnswerRow:
    """How the token at an answer position scores every token, by content alone.

    Attributes:
        token: that token, the same in all prompts.
        scores: its row of each head's QK circuit.
        rank_correlation: Spearman's, of the scores with the tokens' values; None where the
            outputs are no numbers.
        n_values: how many values those are.
    """

    token: int
    scores: Float[Tensor, "layer head d_vocab"]
    rank_correlation: Float[Tensor, "layer head"] | None
    n_values: int = 0


def answer_row(material: Material, contexts: OneTokenContexts) -> AnswerRow | None:
    """The row of the first answer position that holds one token in all prompts; None where there
    is no such position.
    """
    token = _constant_token(material.prompts)
    if token is None:
        return None
    n_layers, n_heads = contexts.decoder.n_layers, contexts.decoder.n_heads
    heads = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    asking = torch.tensor([token])
    rows = torch.cat([qk_circuit(contexts, *at, queries=asking).dense() for at in heads])
    scores = rows.unflatten(0, (n_layers, n_heads))
    correlation = None
    if len(material.values) > 2:
        known = torch.tensor(list(material.values))
        values = torch.tensor(list(material.values.values()), dtype=torch.float64)
        found = [spearman(row[known], values) for row in rows]
        correlation = torch.tensor(found, dtype=torch.float64).view(n_layers, n_heads)
    return AnswerRow(token, scores, correlation, len(material.values))


def _constant_token(groups: Sequence[Prompts]) -> int | None:
    """The token at the first answer position that holds the same one in all prompts."""
    for answer in range(len(groups[0].answer_positions)):
        found = torch.cat([p.tokens[:, p.answer_positions[answer]] for p in groups])
        if (found == found[0]).all():
            return int(found[0])
    return None


def answer_operand(material: Material, observation: Observation) -> AnswerOperand | None:
    """How heads look at the operands that are answers; None where answers are no operands, or none
    leaves a choice.
    """
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
    on_answer = (attention * is_answer).sum(dim=-1)
    return AnswerOperand(
        share=hit[:, :, has_choice].double().mean(dim=-1),
        attention=on_answer[:, :, has_choice].double().mean(dim=-1),
        chance=is_answer[has_choice].double().mean().item(),
    )
