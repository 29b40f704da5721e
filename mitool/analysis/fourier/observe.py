"""A model of modular arithmetic over all pairs of operands, in float64."""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mitool.analysis.fourier.form import CyclicForm
from mitool.analysis.fourier.grid import CHUNK
from mitool.core.errors import InputError
from mitool.models.recording import Recording, record
from mitool.models.transformer import ToyTransformer
from mitool.tasks import Examples, Task
from mitool.training.loss import token_losses

PARTS = ("train", "test", "all")

LARGEST = 1e140
"""Of a number whose square can be added up in float64."""


@dataclass(frozen=True)
class Division:
    """Which pairs trained; None where that is not known."""

    is_train: Bool[Tensor, " pair"] | None

    def means(self, values: Float[Tensor, " pair"]) -> dict[str, float | None]:
        """The mean over the train pairs, over the test pairs, and over all."""
        means: dict[str, float | None] = dict.fromkeys(PARTS)
        if self.is_train is not None:
            means["train"] = _mean(values[self.is_train])
            means["test"] = _mean(values[~self.is_train])
        return means | {"all": _mean(values)}


@dataclass(frozen=True)
class Pairs:
    """What the model is asked: all p^2 pairs, and which of them the form covers.

    Attributes:
        examples: all pairs, of which those with equal a follow each other.
        covered: the examples that the form covers, in the order of its operands.
        division: of all examples.
        position: where the answer is read.
    """

    form: CyclicForm
    examples: Examples
    covered: Int[Tensor, " pair"]
    division: Division
    position: int

    @property
    def covered_division(self) -> Division:
        """The division of the covered pairs."""
        is_train = self.division.is_train
        return Division(None if is_train is None else is_train[self.covered])


@dataclass(frozen=True)
class Observation:
    """A model's behaviour over all pairs.

    Attributes:
        losses: the model's cross-entropy on each of all examples, in nats.
        is_right: whether its largest logit is the answer's.
        logits: for each covered pair, the logit of the answer of each phase.
        neurons: the last MLP's activations on the covered pairs; None without an MLP.
        patterns: for each layer, attention from the answer position on the covered pairs.
    """

    losses: Float[Tensor, " example"]
    is_right: Bool[Tensor, " example"]
    logits: Float[Tensor, "pair phase"]
    neurons: Float[Tensor, "pair neuron"] | None
    patterns: list[Float[Tensor, "pair head key"]]


def pairs_of(task: Task, form: CyclicForm, train: Int[Tensor, " train"] | None) -> Pairs:
    """All pairs of a task, where ``train`` lists the indices of the examples that trained."""
    assert task.grid_shape is not None
    examples = task.examples()
    covered = (form.operands[:, None] * task.grid_shape[1] + form.operands[None, :]).flatten()
    is_train = None
    if train is not None:
        is_train = torch.zeros(len(examples), dtype=torch.bool)
        is_train[train] = True
    return Pairs(form, examples, covered, Division(is_train), task.answer_positions[0])


def in_float64(model: ToyTransformer) -> ToyTransformer:
    """A copy of the model that computes in float64."""
    return copy.deepcopy(model).double().requires_grad_(False)


@torch.no_grad()
def observe(model: ToyTransformer, pairs: Pairs, *, inside: bool = True) -> Observation:
    """Run ``model``, which computes in float64, over all pairs, a chunk at a time.

    Args:
        inside: whether to record neurons and attention as well.

    Raises:
        InputError: logits or neurons are not finite, or so large that their squares are not.
    """
    n_examples, n_covered = len(pairs.examples), len(pairs.covered)
    place = torch.full((n_examples,), -1)
    place[pairs.covered] = torch.arange(n_covered)
    losses, right, kept = [], [], list[Tensor]()
    for chunk in torch.arange(n_examples).split(chunk_size(model)):
        tokens, targets = pairs.examples.tokens[chunk], pairs.examples.targets[chunk, 0]
        if inside:
            seen = record(model, tokens, pairs.position)
        else:
            seen = Recording(model.logits(tokens, (pairs.position,))[:, 0], None, [])
        losses.append(token_losses(seen.logits, targets))
        right.append(seen.logits.argmax(dim=-1) == targets)
        is_covered = place[chunk] >= 0
        found = [seen.logits[:, pairs.form.outputs], *seen.patterns]
        found += [] if seen.neurons is None else [seen.neurons]
        kept = kept or [values.new_empty(n_covered, *values.shape[1:]) for values in found]
        for whole, values in zip(kept, found, strict=True):
            whole[place[chunk][is_covered]] = values[is_covered]
    neurons = kept.pop() if inside and not model.cfg.attn_only else None
    _require_finite("logits", kept[0])
    if neurons is not None:
        _require_finite("neurons", neurons)
    return Observation(torch.cat(losses), torch.cat(right), kept[0], neurons, kept[1:])


def _require_finite(name: str, values: Tensor) -> None:
    low, high = values.aminmax()
    if not max(-low.item(), high.item()) < LARGEST:  # which NaN is not either
        raise InputError(
            f"expected {name} that are finite and below {LARGEST:zg}, as their squares are summed, "
            "found others: the weights are too large, as after a training that diverged"
        )


def chunk_size(model: ToyTransformer) -> int:
    """Examples at a time."""
    cfg = model.cfg
    widest = max(cfg.d_mlp, cfg.d_vocab_out, cfg.n_ctx * max(cfg.d_model, cfg.n_heads * cfg.d_head))
    return max(1, CHUNK // widest)


def _mean(values: Tensor) -> float | None:
    return values.double().mean().item() if len(values) else None
