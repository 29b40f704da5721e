"""One head that looks at the smallest number and copies it."""

from functools import partial

import torch

from mitool.core.node_names import head_name
from mitool.models.transformer import ToyTransformer
from mitool.planted.base import Planted
from mitool.planted.draws import independent
from mitool.planted.heads import POSITIONS
from mitool.planted.stream import Weights
from mitool.tasks.min import Min

TASK = Min(k=3, max_value=15)
LAYER, HEAD = 1, 3
NATS = 25.0
"""By how much a score falls for each step of the number."""


def build() -> ToyTransformer:
    """Scores fall by 25 nats a step of the key's number, and ``=`` counts as the largest.

    Softmax is then saturated: a gradient at the clean input says that the keys do not matter
    (Kramár et al. 2024), and another number's key, patched, moves the head all the way.
    """
    n, n_ctx = TASK.d_vocab_out, TASK.n_ctx
    places = {"token": n, "height": 1, POSITIONS: n_ctx, "answer": n}
    weights = Weights("min", TASK, places, carried=n, n_heads=6)
    weights.embed("token", torch.eye(n))
    weights.embed("height", torch.arange(n + 1)[:, None] / n)
    weights.embed_positions(POSITIONS)
    asking, height = (POSITIONS, torch.ones(n_ctx, 1)), ("height", -torch.ones(1, 1))
    weights.look(LAYER, HEAD, asking, height, NATS * n)
    weights.carry(LAYER, HEAD, "token", "answer", torch.eye(n))
    weights.unembed("answer", torch.eye(n))
    return weights.model()


NAME = head_name(LAYER, HEAD)

PLANTED = Planted(
    name="min",
    summary="one head looks at the smallest number and copies it",
    sources=(
        "The min-of-two-ints interpretability problem, as trained models solve it",
        "Kramár et al. 2024, arXiv 2403.00745 (AtP*: gradients of saturated attention)",
    ),
    task=TASK,
    truth=(f"input->{NAME}<k>", f"input->{NAME}<v>", f"{NAME}->logits"),
    build=build,
    draw=partial(independent, TASK),
)
