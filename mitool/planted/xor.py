"""An exclusive or through an MLP: what no sum of heads can do."""

from functools import partial

from mitool.models.transformer import ToyTransformer
from mitool.planted.base import Planted
from mitool.planted.bits import gate_weights
from mitool.planted.draws import independent
from mitool.tasks.gate import Gate

TASK = Gate(bits=3, op="xor")


def build() -> ToyTransformer:
    """A head carries x, another, in the next layer, y; of a bit's sum s = 0, 1, 2 the neurons make
    4/3 relu(s - 1/4) - 28/9 relu(s - 5/4) = 0, 1, 0.
    """
    heads = {(0, 1): (0,), (1, 2): (1,)}
    return gate_weights("xor", TASK, heads, 1, {0.25: 4 / 3, 1.25: -28 / 9}).model()


PLANTED = Planted(
    name="xor",
    summary="two heads carry bits, and an MLP computes their exclusive or",
    sources=("Minsky and Papert 1969, Perceptrons", "Tracr, arXiv 2301.05062 (weights by hand)"),
    task=TASK,
    truth=("input->L0H1<v>", "input->L1H2<v>", "L0H1->MLP1", "L1H2->MLP1", "MLP1->logits"),
    build=build,
    draw=partial(independent, TASK),
)
