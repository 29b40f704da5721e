"""The weights of neurons as stacks of rectangles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from mitool.analysis.superposition.neurons import active_neurons, monosemantic, scaled
from mitool.models.superposition import Autoencoders

Kind = Literal["monosemantic", "polysemantic", "idle"]

LEAST = 0.008
"""Of the longest stack: rectangles that are not as high are drawn as one, at the end."""


@dataclass(frozen=True)
class Block:
    """A weight, as a rectangle.

    Attributes:
        feature: None of many small weights together.
        base: where it starts; it ends at ``base + height``.
    """

    feature: int | None
    base: float
    height: float


@dataclass(frozen=True)
class Stack:
    """A neuron's weights, those above 0 on one another, and those below 0 under one another."""

    neuron: int
    kind: Kind
    blocks: tuple[Block, ...]

    @property
    def top(self) -> float:
        return max([0.0, *(block.base + block.height for block in self.blocks)])

    @property
    def bottom(self) -> float:
        return min([0.0, *(block.base + block.height for block in self.blocks)])


def stacks(models: Autoencoders, index: int, most: int) -> list[Stack]:
    """Of a model's neurons, ordered by the importance of their largest feature, idle ones last.

    Args:
        most: neurons; of more, the first ones in that order.
    """
    W = scaled(models)[index]
    W = W if models.cfg.is_tied else W.abs()
    kinds = _kinds(models, index)
    least = LEAST * W.abs().sum(dim=1).max().item()
    order = _order(W, models.importance[index], kinds)
    return [Stack(i, kinds[i], _blocks(W[i].tolist(), least)) for i in order[:most]]


def _kinds(models: Autoencoders, index: int) -> list[Kind]:
    one = models[[index]]
    return [
        "idle" if not is_active else "monosemantic" if is_mono else "polysemantic"
        for is_active, is_mono in zip(
            active_neurons(one)[0].tolist(), monosemantic(one)[0].tolist(), strict=True
        )
    ]


def _order(
    W: Float[Tensor, "hidden feature"],
    importance: Float[Tensor, " feature"],
    kinds: Sequence[Kind],
) -> list[int]:
    size, largest = (values.tolist() for values in W.abs().max(dim=1))
    important = importance.tolist()

    def key(neuron: int) -> tuple[bool, float, int, float]:
        feature = largest[neuron]
        return (kinds[neuron] == "idle", -important[feature], feature, -size[neuron])

    return sorted(range(len(kinds)), key=key)


def _blocks(weights: Sequence[float], least: float) -> tuple[Block, ...]:
    blocks = []
    for sign in (1, -1):
        own = [(i, weight) for i, weight in enumerate(weights) if sign * weight > 0]
        large: list[tuple[int | None, float]] = [(i, w) for i, w in own if abs(w) >= least]
        small = [weight for _, weight in own if abs(weight) < least]
        base = 0.0
        for feature, weight in [*large, *([(None, sum(small))] if small else [])]:
            blocks.append(Block(feature, base, weight))
            base += weight
    return tuple(blocks)
