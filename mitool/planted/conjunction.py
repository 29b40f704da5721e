"""A conjunction through an MLP that is a step: gradients see nothing of what feeds it."""

from functools import partial

from mitool.models.transformer import ToyTransformer
from mitool.planted.base import Planted
from mitool.planted.bits import gate_weights
from mitool.planted.draws import independent
from mitool.tasks.gate import Gate

TASK = Gate(bits=3, op="and")


def build() -> ToyTransformer:
    """Of a bit's sum s = 0, 1, 2 the neurons make 2 relu(s - 5/4) - 2 relu(s - 7/4) = 0, 0, 1.

    That is flat wherever an input can be, clean or corrupted, so the gradient at either says that
    only ``MLP1->logits`` matters; patching an edge crosses the step.
    """
    heads = {(0, 3): (0,), (1, 0): (1,)}
    return gate_weights("and", TASK, heads, 1, {1.25: 2.0, 1.75: -2.0}).model()


PLANTED = Planted(
    name="and",
    summary="two heads carry bits, and an MLP of steps computes and: gradients vanish",
    sources=("Tracr, arXiv 2301.05062 (weights by hand)",),
    task=TASK,
    truth=("input->L0H3<v>", "input->L1H0<v>", "L0H3->MLP1", "L1H0->MLP1", "MLP1->logits"),
    build=build,
    draw=partial(independent, TASK),
)
