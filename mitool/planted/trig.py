"""Addition mod p by trigonometry, each frequency in a layer of its own."""

import math
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.core.node_names import head_name, mlp_name
from mitool.models.transformer import ToyTransformer
from mitool.planted.base import Planted
from mitool.planted.draws import independent
from mitool.planted.heads import POSITIONS, look_at
from mitool.planted.stream import Weights
from mitool.tasks.modadd import ModAdd

TASK = ModAdd(p=13)
FREQUENCIES = {0: 1, 1: 5}
"""Of each layer."""

HEADS = {0: (1, 4), 1: (0, 3)}
"""For each layer the heads that carry the waves of a and of b."""

N_PHASES = 16


def build() -> ToyTransformer:
    """Heads carry cos(w a), sin(w a), cos(w b), sin(w b); neurons make waves of a + b of them.

    A neuron of phase f reads cos(w a + f) + cos(w b + f) = 2 cos(w (a - b) / 2) cos(t + f) with
    t = w (a + b) / 2. The second harmonic of relu(A cos x) is 2 |A| / (3 pi) cos 2x, so sums over
    phases with weights cos 2f and -sin 2f are |A| times cos and sin of w (a + b). The other
    harmonics that 16 phases let through, the 14th, the 18th and so on, have less than a 25th of it
    together; and |A| = 2 |cos(w (a - b) / 2)| scales all logits of a frequency alike. Phases are
    set off by a quarter so that no input is at a neuron's kink.
    """
    waves = [f"{what} {layer}" for layer in FREQUENCIES for what in ("own", "a", "b", "sum")]
    places = {POSITIONS: TASK.n_ctx, **dict.fromkeys(waves, 2)}
    weights = Weights("trig", TASK, places, carried=2, n_heads=6)
    weights.embed_positions(POSITIONS)
    phases = 2 * math.pi * (torch.arange(N_PHASES).double() + 0.25) / N_PHASES
    reads = torch.stack([phases.cos(), -phases.sin()])
    writes = torch.stack([(2 * phases).cos(), -(2 * phases).sin()], dim=-1)
    for layer, frequency in FREQUENCIES.items():
        weights.embed(f"own {layer}", _waves(frequency))
        for head, (position, target) in zip(HEADS[layer], enumerate("ab"), strict=True):
            look_at(weights, layer, head, position)
            weights.carry(layer, head, f"own {layer}", f"{target} {layer}", torch.eye(2))
        both = {f"{operand} {layer}": reads for operand in "ab"}
        weights.compute(layer, both, (f"sum {layer}", writes * 3 * math.pi / N_PHASES))
        weights.unembed(f"sum {layer}", _waves(frequency).T)
    return weights.model()


def _waves(frequency: int) -> Float[Tensor, "value 2"]:
    """Cos and sin of each number."""
    angles = 2 * math.pi * frequency * torch.arange(TASK.p).double() / TASK.p
    return torch.stack([angles.cos(), angles.sin()], dim=-1)


PLANTED = Planted(
    name="trig",
    summary="addition mod 13: heads carry waves of both numbers, MLPs make those of the sum",
    sources=(
        "Nanda et al. 2023, arXiv 2301.05217",
        "Zhong et al. 2023, arXiv 2306.17844 (the factor |cos(w (a - b) / 2)|)",
    ),
    task=TASK,
    truth=tuple(
        edge
        for layer, heads in HEADS.items()
        for edge in (
            *(f"input->{head_name(layer, head)}<v>" for head in heads),
            *(f"{head_name(layer, head)}->{mlp_name(layer)}" for head in heads),
            f"{mlp_name(layer)}->logits",
        )
    ),
    build=build,
    draw=partial(independent, TASK),
)
