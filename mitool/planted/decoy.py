"""A head that the gradient takes for a part of the circuit, and that changes nothing."""

from functools import partial

import torch

from mitool.models.transformer import ToyTransformer
from mitool.planted.base import Planted
from mitool.planted.bits import add_ramps, gate_weights
from mitool.planted.draws import independent
from mitool.planted.heads import look_at
from mitool.tasks.gate import Gate

TASK = Gate(bits=3, op="or")
DECOY = (1, 3)
STEEP = 6.0


def build() -> ToyTransformer:
    """Of a bit's sum s = 0, 1, 2 the neurons make 4/3 relu(s - 1/4) - 16/9 relu(s - 5/4) = 0, 1, 1.

    The decoy carries the bits of x once more, and others make relu(s + 1/2) - 2 relu(s - 1/2) of
    them, a roof that is as high at 0 as at 1: the gradient there is steep, and towards the other
    bit's value, yet no bit exchanged for another's changes what is written. (A mean over inputs,
    which is no bit, does.)
    """
    heads = {(0, 2): (0,), (1, 0): (1,)}
    ramps = {0.25: 4 / 3, 1.25: -16 / 9}
    weights = gate_weights("decoy", TASK, heads, 1, ramps, more={"decoy": TASK.bits})
    look_at(weights, *DECOY, 0)
    weights.carry(*DECOY, "bits", "decoy", torch.eye(TASK.bits))
    roof = {-0.5: STEEP, 0.5: -2 * STEEP}
    add_ramps(weights, 1, ("decoy",), "result", TASK.bits, roof, offset=-STEEP / 2)
    return weights.model()


PLANTED = Planted(
    name="decoy",
    summary="two heads carry bits to an MLP that computes or; a third has a gradient and no effect",
    sources=("Tracr, arXiv 2301.05062 (weights by hand)",),
    task=TASK,
    truth=("input->L0H2<v>", "input->L1H0<v>", "L0H2->MLP1", "L1H0->MLP1", "MLP1->logits"),
    build=build,
    draw=partial(independent, TASK),
)
