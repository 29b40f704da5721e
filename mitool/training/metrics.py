"""What is measured of a model while it trains."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor, nn

from mitool.core.config import FROZEN
from mitool.core.device import to_float64
from mitool.tasks import NO_ANSWER, Task
from mitool.training.data import Batch
from mitool.training.loss import token_losses

GROKKED_LOSS = 1e-4
GROKKED_EPOCHS = 200


@dataclass(frozen=True)
class Score:
    """A model's loss and accuracy on some examples.

    Attributes:
        loss: mean cross-entropy over answer tokens, in nats.
        accuracy: share of answer tokens that are right: those with the largest logit.
        sequence_accuracy: share of examples whose answer tokens are all right.
        position_losses: mean cross-entropy at each answer position; None where no example has
            an answer there.
        position_accuracies: share of right tokens at each answer position.
    """

    loss: float
    accuracy: float
    sequence_accuracy: float
    position_losses: list[float | None]
    position_accuracies: list[float | None]


@checked_dataclass(frozen=True, kw_only=True, config=FROZEN)
class Evaluation:
    """The state of a run after ``epoch`` epochs: a line of ``metrics.jsonl``.

    Attributes:
        step: optimiser steps so far.
        weight_norms: the Frobenius norm of each trained weight.
        seconds: seconds of training so far, evaluation left out.
    """

    epoch: int
    step: int
    train_loss: float
    test_loss: float
    train_accuracy: float
    test_accuracy: float
    train_sequence_accuracy: float
    test_sequence_accuracy: float
    train_position_losses: list[float | None]
    test_position_losses: list[float | None]
    train_position_accuracies: list[float | None]
    test_position_accuracies: list[float | None]
    weight_norms: dict[str, float]
    seconds: float

    @property
    def is_grokked(self) -> bool:
        return self.test_accuracy == 1.0 and self.test_loss < GROKKED_LOSS


@torch.no_grad()
def score(model: nn.Module, task: Task, batches: Iterable[Batch]) -> Score:
    """Loss and accuracy over all answers of ``batches``."""
    losses, answered, right = [], [], []
    for batch in batches:
        logits = model(batch.inputs)
        losses.append(token_losses(logits, batch.targets).sum(dim=0))
        answered.append(batch.targets != NO_ANSWER)
        right.append(task.is_right(logits.argmax(dim=-1), batch.examples) & answered[-1])
    has_answer, is_right = torch.cat(answered), torch.cat(right)
    counts = to_float64(has_answer).sum(dim=0)
    position_losses = torch.stack(losses).sum(dim=0)
    position_right = to_float64(is_right).sum(dim=0)
    return Score(
        loss=(position_losses.sum() / counts.sum()).item(),
        accuracy=(position_right.sum() / counts.sum()).item(),
        sequence_accuracy=to_float64((is_right | ~has_answer).all(dim=-1)).mean().item(),
        position_losses=_means(position_losses, counts),
        position_accuracies=_means(position_right, counts),
    )


def _means(sums: Float[Tensor, " answer"], counts: Float[Tensor, " answer"]) -> list[float | None]:
    return [s / n if n else None for s, n in zip(sums.tolist(), counts.tolist(), strict=True)]


@torch.no_grad()
def weight_norms(model: nn.Module) -> dict[str, float]:
    """The Frobenius norm of each trained weight."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    norms = torch.stack([to_float64(parameter).norm() for parameter in trained.values()])
    return dict(zip(trained, norms.tolist(), strict=True))


def grokked_at(history: Sequence[Evaluation]) -> int | None:
    """The first epoch from which test accuracy is 1 and test loss < 1e-4 for 200 epochs."""
    start: int | None = None
    for evaluation in history:
        if not evaluation.is_grokked:
            start = None
        elif start is None:
            start = evaluation.epoch
        if start is not None and evaluation.epoch - start >= GROKKED_EPOCHS:
            return start
    return None


def memorised_at(history: Sequence[Evaluation]) -> int | None:
    """The first epoch at which every training example is right."""
    return next((e.epoch for e in history if e.train_sequence_accuracy == 1.0), None)
