"""One head that looks one token back and copies."""

from functools import partial

import torch

from mitool.core.node_names import head_name
from mitool.models.transformer import ToyTransformer
from mitool.planted.base import Planted
from mitool.planted.draws import independent
from mitool.planted.heads import POSITIONS, look_back
from mitool.planted.stream import Weights
from mitool.tasks.previous_token import PreviousToken

TASK = PreviousToken(length=7, max_value=15)
LAYER, HEAD = 0, 2


def build() -> ToyTransformer:
    """The OV circuit of the one head, between embedding and unembedding, is the identity."""
    n, n_ctx = TASK.d_vocab, TASK.n_ctx
    places = {"token": n, POSITIONS: n_ctx, "answer": n}
    weights = Weights("copy", TASK, places, carried=n)
    weights.embed("token", torch.eye(n))
    weights.embed_positions(POSITIONS)
    look_back(weights, LAYER, HEAD)
    weights.carry(LAYER, HEAD, "token", "answer", torch.eye(n))
    weights.unembed("answer", torch.eye(n))
    return weights.model()


NAME = head_name(LAYER, HEAD)

PLANTED = Planted(
    name="copy",
    summary="one head copies the token before",
    sources=("Elhage et al. 2021, A Mathematical Framework for Transformer Circuits",),
    task=TASK,
    truth=(f"input->{NAME}<v>", f"{NAME}->logits"),
    build=build,
    draw=partial(independent, TASK),
)
