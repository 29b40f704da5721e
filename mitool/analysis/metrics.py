"""What a run's logits are judged by: one number for each pair."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.pairs.prompt_pairs import PromptPairs
from mitool.settings import MetricName
from mitool.tasks import NO_ANSWER, Task


@dataclass(frozen=True)
class Metric:
    """A measure of logits, differentiable but for ``accuracy``.

    Attributes:
        name: as it is asked for.
        unit: what it measures, for a reader.
        compute: from logits [variant, pair, answer, d_vocab_out], the pairs, and the clean run's
            logits [pair, answer, d_vocab_out], to [variant, pair].
        reads_answers_only: whether it needs the logits of the pairs' answers and no others.
    """

    name: str
    unit: str
    compute: Callable[[Tensor, PromptPairs, Tensor], Tensor]
    reads_answers_only: bool = False

    def __call__(
        self,
        logits: Float[Tensor, "variant pair answer d_vocab_out"],
        pairs: PromptPairs,
        clean: Float[Tensor, "pair answer d_vocab_out"],
    ) -> Float[Tensor, "variant pair"]:
        return self.compute(logits, pairs, clean)


def metric_of(name: MetricName | None, task: Task | None) -> Metric:
    """A metric by its name; left out, the task's own."""
    if name is not None:
        return METRICS[name]
    assert task is not None, "pairs that are no task's have a metric of a name"
    return _of_task(task)


def logit_difference(
    logits: Float[Tensor, "variant pair answer d_vocab_out"], pairs: PromptPairs, _clean: Tensor
) -> Float[Tensor, "variant pair"]:
    """Mean logit of the right answers less that of the wrong ones, mean over answer positions."""
    right, wrong = (_mean_of(logits, answers) for answers in (pairs.right, pairs.wrong))
    return _over_answers(right - wrong, _known(pairs.right) & _known(pairs.wrong))


def probability_difference(
    logits: Float[Tensor, "variant pair answer d_vocab_out"], pairs: PromptPairs, _clean: Tensor
) -> Float[Tensor, "variant pair"]:
    """Probability of all right answers less that of all wrong ones.

    With the years after YY as right answers and the others as wrong ones this is the metric of
    Hanna et al. 2023, arXiv 2305.00586.
    """
    probabilities = logits.softmax(dim=-1)
    right, wrong = (_sum_of(probabilities, answers) for answers in (pairs.right, pairs.wrong))
    return _over_answers(right - wrong, _known(pairs.right) & _known(pairs.wrong))


def log_probability(
    logits: Float[Tensor, "variant pair answer d_vocab_out"], pairs: PromptPairs, _clean: Tensor
) -> Float[Tensor, "variant pair"]:
    """Log of the probability of all right answers, in nats."""
    known = _chosen(logits.log_softmax(dim=-1), pairs.right)
    known = known.masked_fill(pairs.right == NO_ANSWER, -torch.inf)
    is_known = _known(pairs.right)
    total = known.logsumexp(dim=-1).where(is_known, torch.zeros_like(known[..., 0]))
    return _over_answers(total, is_known)


def kl_divergence(
    logits: Float[Tensor, "variant pair answer d_vocab_out"],
    _pairs: PromptPairs,
    clean: Float[Tensor, "pair answer d_vocab_out"],
) -> Float[Tensor, "variant pair"]:
    """KL(clean run || this run) in nats, summed over the vocabulary, mean over answers."""
    reference = clean.log_softmax(dim=-1)
    difference = reference - logits.log_softmax(dim=-1)
    return (reference.exp() * difference).sum(dim=-1).mean(dim=-1)


def accuracy(
    logits: Float[Tensor, "variant pair answer d_vocab_out"], pairs: PromptPairs, _clean: Tensor
) -> Float[Tensor, "variant pair"]:
    """Share of the answer positions whose largest logit is a right answer's."""
    is_right = (logits.argmax(dim=-1, keepdim=True) == pairs.right).any(dim=-1)
    return _over_answers(is_right.to(logits.dtype), _known(pairs.right))


ACCURACY = Metric("accuracy", "accuracy", accuracy)

METRICS: Mapping[MetricName, Metric] = {
    "logit-diff": Metric(
        "logit-diff", "logit difference", logit_difference, reads_answers_only=True
    ),
    "prob-diff": Metric("prob-diff", "probability difference", probability_difference),
    "greater-than": Metric("greater-than", "P(later) - P(not later)", probability_difference),
    "log-prob": Metric("log-prob", "log-probability (nats)", log_probability),
    "kl": Metric("kl", "KL divergence (nats)", kl_divergence),
    "accuracy": ACCURACY,
}


def _of_task(task: Task) -> Metric:
    def compute(logits: Tensor, pairs: PromptPairs, _clean: Tensor) -> Tensor:
        assert pairs.drawn is not None, "a task's metric reads pairs of the task"
        drawn = pairs.drawn
        return torch.stack([task.metric(variant, drawn) for variant in logits])

    return Metric("task", task.metric_name, compute)


def _known(answers: Int[Tensor, "pair answer one_of"]) -> Tensor:
    """Which answer positions have any: [pair, answer]."""
    return (answers != NO_ANSWER).any(dim=-1)


def _chosen(values: Tensor, answers: Int[Tensor, "pair answer one_of"]) -> Tensor:
    """The values [.., pair, answer, one_of] of answers, of the first token where there is none."""
    index = answers.clamp(min=0).expand(*values.shape[:-1], answers.shape[-1])
    return values.gather(-1, index)


def _sum_of(values: Tensor, answers: Int[Tensor, "pair answer one_of"]) -> Tensor:
    return _chosen(values, answers).masked_fill(answers == NO_ANSWER, 0.0).sum(dim=-1)


def _mean_of(values: Tensor, answers: Int[Tensor, "pair answer one_of"]) -> Tensor:
    count = (answers != NO_ANSWER).sum(dim=-1).clamp(min=1)
    return _sum_of(values, answers) / count


def _over_answers(values: Tensor, counted: Tensor) -> Tensor:
    """Mean [.., pair] of values [.., pair, answer] over the answer positions that count."""
    return values.masked_fill(~counted, 0.0).sum(dim=-1) / counted.sum(dim=-1)
