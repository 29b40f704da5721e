"""Two heads that do the same, each of which is enough."""

import torch
from torch import Generator

from mitool.models.transformer import ToyTransformer
from mitool.planted.base import Drawn, Planted
from mitool.planted.bits import gate_weights
from mitool.planted.draws import EXCESS, differing
from mitool.tasks.gate import Gate

TASK = Gate(bits=3, op="or")


def build() -> ToyTransformer:
    """Both heads carry the mean of x's and y's bits; of the sum s = 0, 1/2, 1, 3/2 or 2 of the two
    heads the neurons make 4 relu(s - 1/8) - 4 relu(s - 3/8), which is 0 for 0 and 1 for the rest.
    """
    heads = {(0, 0): (0, 1), (1, 3): (0, 1)}
    return gate_weights("backup", TASK, heads, 1, {0.125: 4.0, 0.375: -4.0}).model()


def draw(n: int, generator: Generator) -> Drawn:
    """Clean inputs, some of whose answer's bits are cleared in both numbers.

    Whatever comes through the one head is then made up for by the other: corrupting an edge of one
    head alone changes nothing, and the gradient there is 0 too. Both heads are true all the same:
    with both corrupted the answer is lost. Restoring one in the corrupted run restores it.
    """
    operands = torch.randint(TASK.n_values, (EXCESS * n, 2), generator=generator)
    kept = torch.randint(TASK.n_values, (EXCESS * n, 1), generator=generator)
    return differing(TASK.of_operands(operands), TASK.of_operands(operands & kept), n)


PLANTED = Planted(
    name="backup",
    summary="two heads carry the same bits to an MLP that computes or: either is enough",
    sources=(
        "Wang et al. 2022, arXiv 2211.00593 (backup heads)",
        "Conmy et al. 2023, arXiv 2304.14997 (ACDC: what patching cannot see of an or)",
    ),
    task=TASK,
    truth=("input->L0H0<v>", "input->L1H3<v>", "L0H0->MLP1", "L1H3->MLP1", "MLP1->logits"),
    build=build,
    draw=draw,
    alternatives=("L0H0", "L1H3"),
)
