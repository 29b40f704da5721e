"""What is measured of a model while it trains."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import nn

from mitool.device import to_float64
from mitool.training.data import Batch
from mitool.training.loss import token_losses

GROKKED_LOSS = 1e-4
GROKKED_EPOCHS = 200


@dataclass(frozen=True)
class Score:
    """A model's loss and accuracy on some examples.

    Attributes:
        loss: mean cross-entropy over answer tokens, in nats.
        accuracy: share of answer tokens whose largest logit is the target's.
        sequence_accuracy: share of examples whose answer tokens are all right.
        position_losses: mean cross-entropy at each answer position.
        position_accuracies: share of right tokens at each answer position.
    """

    loss: float
    accuracy: float
    sequence_accuracy: float
    position_losses: list[float]
    position_accuracies: list[float]


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
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
    train_position_losses: list[float]
    test_position_losses: list[float]
    train_position_accuracies: list[float]
    test_position_accuracies: list[float]
    weight_norms: dict[str, float]
    seconds: float

    @property
    def is_grokked(self) -> bool:
        return self.test_accuracy == 1.0 and self.test_loss < GROKKED_LOSS


@torch.no_grad()
def score(model: nn.Module, batches: Iterable[Batch]) -> Score:
    """Loss and accuracy over all examples of ``batches``."""
    losses, right = [], []
    for batch in batches:
        logits = model(batch.inputs)
        losses.append(token_losses(logits, batch.targets).sum(dim=0))
        right.append(to_float64(logits.argmax(dim=-1) == batch.targets))
    correct = torch.cat(right)
    by_position = torch.stack(losses).sum(dim=0) / len(correct)
    return Score(
        loss=by_position.mean().item(),
        accuracy=correct.mean().item(),
        sequence_accuracy=correct.amin(dim=-1).mean().item(),
        position_losses=by_position.tolist(),
        position_accuracies=correct.mean(dim=0).tolist(),
    )


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
