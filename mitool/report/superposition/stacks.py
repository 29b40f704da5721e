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
"""Of the longest stack: a rectangle that is not as high is not seen."""


@dataclass(frozen=True)
class Block:
    """A weight, as a rectangle.

    Attributes:
        base: where it starts; it ends at ``base + height``.
    """

    feature: int
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
    ends = {True: 0.0, False: 0.0}
    blocks = []
    for feature, weight in enumerate(weights):
        if weight and abs(weight) >= least:
            base = ends[weight > 0]
            ends[weight > 0] = base + weight
            blocks.append(Block(feature, base, weight))
    return tuple(blocks)
