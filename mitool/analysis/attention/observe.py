"""What the heads of a model do on prompts: where they look, and what they add to the answer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mitool.analysis.attention.attribution import Attributor, DirectAttribution, mean_of
from mitool.analysis.attention.scores import KindScores
from mitool.analysis.attention.weights import Weights
from mitool.analysis.interventions.run import Run, run
from mitool.models.decoder import Decoder, Tables
from mitool.pairs.prompts import Prompts
from mitool.tasks import NO_ANSWER

CHUNK = 2**24
"""Numbers of activations, and of logits, that are held at a time."""

KEPT = 12
"""Activations of the stream's width that a run keeps of each layer."""

OFFSETS = 16
"""Where prompts differ in length: keys so far back from the answer are told apart."""


IsRight = Callable[[Int[Tensor, "example answer"], Prompts], Bool[Tensor, "example answer"]]


def equals_target(
    answers: Int[Tensor, "example answer"], prompts: Prompts
) -> Bool[Tensor, "example answer"]:
    """Right is what is the target."""
    assert prompts.targets is not None, "the prompts come with answers"
    return answers == prompts.targets


@dataclass(frozen=True)
class Pass:
    """A forward pass over some prompts, with all that the model's parts did."""

    prompts: Prompts
    run: Run

    @cached_property
    def patterns(self) -> Float[Tensor, "layer example head query key"]:
        return torch.stack([layer.pattern for layer in self.run.layers])

    @property
    def from_answers(self) -> Float[Tensor, "layer example head answer key"]:
        return self.patterns[:, :, :, list(self.prompts.answer_positions)]

    @property
    def logits(self) -> Float[Tensor, "example answer d_vocab_out"]:
        return self.run.logits


def forward(decoder: Decoder, prompts: Prompts, tables: Tables | None = None) -> Pass:
    """Run a model and keep what its parts do.

    Args:
        tables: of prompts of this length, from a run that was held against the model's own already.

    Raises:
        InputError: the model is not the sum of its parts, or its outputs are not finite.
    """
    tokens = prompts.tokens.to(decoder.device)
    return Pass(prompts, run(decoder, tokens, prompts.answer_positions, tables))


def passes(decoder: Decoder, groups: Sequence[Prompts]) -> Iterator[Pass]:
    """Forward passes over all prompts, in chunks that bound the memory they take."""
    for prompts in groups:
        length, n_answers = prompts.tokens.shape[1], len(prompts.answer_positions)
        wide = decoder.n_heads * length + KEPT * decoder.d_model
        of_layers = decoder.n_layers * length * wide
        size = max(1, CHUNK // max(of_layers, n_answers * decoder.d_vocab_out))
        tables = None
        for start in range(0, len(prompts), size):
            seen = forward(decoder, prompts[start : start + size], tables)
            tables = seen.run.read.tables
            yield seen


@dataclass(frozen=True)
class Observation:
    """What the heads did, over all prompts; heads are [layer, head].

    Attributes:
        mean_attention: from each answer position, where all prompts have one length; else from
            the last token to the first one and, counted back from itself, to the ``OFFSETS``
            nearest, the first one left out.
        entropy: of attention from the answer positions, in nats, mean; a sink, which is no token,
            counts as a key.
        first_token: attention from the answer positions to the first token, mean.
        by_token: attention from the answer positions to each token of the vocabulary, mean.
        attribution: what each part of the model adds by itself to the logit of the right answer
            less the wrong one's (or less the mean of all outputs), mean; None where no answer is
            known.
        operands: attention from the answer positions to each operand [layer, head, example,
            answer, operand]; None where the answers have no operands.
        losses: cross-entropy of each example in nats, mean over its answers; None where no answer
            is known.
        accuracy: share of the answers that are right: those with the largest logit; None likewise.
    """

    mean_attention: Float[Tensor, "layer head answer key"]
    entropy: Float[Tensor, "layer head"]
    first_token: Float[Tensor, "layer head"]
    by_token: Float[Tensor, "layer head d_vocab"]
    attribution: DirectAttribution | None
    operands: Float[Tensor, "layer head example answer operand"] | None
    losses: Float[Tensor, " example"] | None
    accuracy: float | None


class Observer:
    """Sums over passes; ``result`` divides.

    Args:
        operand_positions: the positions whose attention is kept example by example.
        scores: given the passes too, where they are to score kinds of heads.
        is_right: which answers are right.
    """

    def __init__(
        self,
        decoder: Decoder,
        weights: Weights,
        groups: Sequence[Prompts],
        operand_positions: Sequence[int] = (),
        scores: KindScores | None = None,
        is_right: IsRight = equals_target,
    ) -> None:
        self._is_right = is_right
        self._attributed = Attributor(decoder, weights)
        self._has_sinks = torch.tensor([layer.sinks is not None for layer in decoder.layers])
        self._d_vocab = len(weights.W_E)
        self._one_length = len({prompts.tokens.shape[1] for prompts in groups}) == 1
        self._operand_positions = list(operand_positions)
        self._scores = scores
        self._attention: list[Tensor] = []
        self._entropy: list[Tensor] = []
        self._first: list[Tensor] = []
        self._by_token: list[Tensor] = []
        self._attribution: list[DirectAttribution] = []
        self._operands: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._n = self._n_answered = self._n_right = 0

    def add(self, seen: Pass) -> None:
        attention = seen.from_answers.double()
        self._n += attention.shape[1]
        shown = attention if self._one_length else _by_offset(attention)
        self._attention.append(shown.sum(dim=1))
        self._entropy.append(self._entropies(attention).mean(dim=-1).sum(dim=1))
        self._first.append(attention[..., 0].mean(dim=-1).sum(dim=1))
        self._by_token.append(_by_token(attention, seen.prompts.tokens, self._d_vocab))
        if self._operand_positions:
            kept = attention[..., self._operand_positions].float()
            self._operands.append(kept.transpose(1, 2))
        if seen.prompts.targets is not None:
            self._add_answers(seen, seen.prompts.targets)
        if self._scores is not None:
            self._scores.add(seen.prompts.tokens, seen.patterns)

    def _entropies(
        self, attention: Float[Tensor, "layer example head answer key"]
    ) -> Float[Tensor, "layer example head answer"]:
        """The entropy of each row, to which a sink belongs as one more key."""
        rest = (1 - attention.sum(dim=-1)).clamp(min=0.0) * self._has_sinks[:, None, None, None]
        return -torch.xlogy(attention, attention).sum(dim=-1) - torch.xlogy(rest, rest)

    def _add_answers(self, seen: Pass, targets: Int[Tensor, "example answer"]) -> None:
        answered = targets != NO_ANSWER
        right = targets.clamp(min=0)
        logprobs = seen.logits.double().log_softmax(dim=-1)
        losses = -logprobs.gather(-1, right[:, :, None])[..., 0].masked_fill(~answered, 0.0)
        self._losses.append(losses.sum(dim=-1) / answered.sum(dim=-1))
        answers = seen.logits.argmax(dim=-1)
        self._n_right += int((self._is_right(answers, seen.prompts) & answered).sum())
        self._attribution.append(
            self._attributed(seen.run, seen.prompts, right=right, answered=answered)
        )
        self._n_answered += int(answered.sum())

    def result(self) -> Observation:
        def mean(parts: list[Tensor], n: int) -> Tensor:
            return torch.stack(parts).sum(dim=0) / n

        return Observation(
            mean_attention=mean(self._attention, self._n),
            entropy=mean(self._entropy, self._n),
            first_token=mean(self._first, self._n),
            by_token=mean(self._by_token, self._n),
            attribution=mean_of(self._attribution, self._n_answered) if self._attribution else None,
            operands=torch.cat(self._operands, dim=2) if self._operands else None,
            losses=torch.cat(self._losses) if self._losses else None,
            accuracy=self._n_right / self._n_answered if self._n_answered else None,
        )


def observe(
    decoder: Decoder,
    weights: Weights,
    groups: Sequence[Prompts],
    *,
    operand_positions: Sequence[int] = (),
    scores: KindScores | None = None,
    is_right: IsRight = equals_target,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Observation:
    """Run the model on all prompts.

    Args:
        progress: told of the prompts done, and of all.
    """
    observer = Observer(decoder, weights, groups, operand_positions, scores, is_right)
    done, total = 0, sum(map(len, groups))
    for seen in passes(decoder, groups):
        observer.add(seen)
        done += len(seen.prompts)
        progress(done, total)
    return observer.result()


def _by_token(
    attention: Float[Tensor, "layer example head answer key"],
    tokens: Int[Tensor, "example key"],
    d_vocab: int,
) -> Float[Tensor, "layer head d_vocab"]:
    """The sum over examples of the attention on each token, mean over answer positions."""
    by_key = attention.mean(dim=3).transpose(1, 2).flatten(start_dim=2)
    total = by_key.new_zeros(*by_key.shape[:2], d_vocab)
    return total.index_add_(2, tokens.flatten(), by_key)


def _by_offset(
    attention: Float[Tensor, "layer example head answer key"],
) -> Float[Tensor, "layer example head answer place"]:
    """Attention from the last token to the first one, then to itself, the one before, .."""
    first, others = attention[..., :1], attention[..., 1:]
    nearest = others.flip(-1)[..., :OFFSETS]
    nearest = torch.nn.functional.pad(nearest, (0, OFFSETS - nearest.shape[-1]))
    return torch.cat([first, nearest], dim=-1)
