"""What the models of gates share: numbers as bits, and neurons that compute of each bit."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.planted.heads import POSITIONS, look_at
from mitool.planted.stream import Weights
from mitool.tasks.gate import Gate


def bits_of(task: Gate) -> Float[Tensor, "value bit"]:
    """The bits of every number, the lowest first."""
    return (torch.arange(task.n_values)[:, None] >> torch.arange(task.bits) & 1).double()


def gate_weights(
    name: str,
    task: Gate,
    heads: Mapping[tuple[int, int], tuple[int, ...]],
    layer: int,
    ramps: Mapping[float, float],
    more: Mapping[str, int] | None = None,
) -> Weights:
    """A model whose heads carry bits to the answer, where neurons compute of each bit's sum.

    The sum s of a bit over all heads is put through ``sum of slope * relu(s - threshold)``, which
    is to be 0 or 1; an answer's logit counts the bits that it has right.

    Args:
        heads: the operands' positions that each head looks at, evenly.
        layer: of the neurons.
        ramps: the slope of each threshold. No threshold is a sum that occurs: there rounding would
            decide what the gradient is.
        more: the widths of further places, which are left empty.
    """
    n, bits = task.bits, bits_of(task)
    places = {"bits": n, POSITIONS: task.n_ctx, "result": n}
    moved = {f"bits from {head}": n for head in heads}
    weights = Weights(name, task, {**places, **moved, **(more or {})}, carried=n, biases=True)
    weights.embed("bits", bits)
    weights.embed_positions(POSITIONS)
    for (place, _), (head, positions) in zip(moved.items(), heads.items(), strict=True):
        look_at(weights, *head, *positions)
        weights.carry(*head, "bits", place, torch.eye(n))
    # less a half, so that a bit of 0 speaks as much as one of 1
    add_ramps(weights, layer, tuple(moved), "result", n, ramps, offset=-0.5)
    weights.unembed("result", (2.0 * bits - 1).T)
    return weights


def add_ramps(
    weights: Weights,
    layer: int,
    sources: Sequence[str],
    target: str,
    n_bits: int,
    ramps: Mapping[float, float],
    *,
    offset: float,
) -> None:
    """Neurons that compute ``offset + sum of slope * relu(s - threshold)`` of each bit's sum s over
    the sources.
    """
    of_bits = torch.eye(n_bits).repeat(1, len(ramps))
    slopes = torch.tensor(list(ramps.values())).repeat_interleave(n_bits)
    thresholds = torch.tensor(list(ramps)).repeat_interleave(n_bits)
    out: Float[Tensor, "neuron bit"] = slopes[:, None] * of_bits.T
    weights.compute(layer, dict.fromkeys(sources, of_bits), (target, out), thresholds, offset)
