"""An induction circuit: a previous-token head, and a head that matches by what it wrote."""

import torch
from torch import Generator, Tensor

from mitool.core.node_names import head_name
from mitool.models.transformer import ToyTransformer
from mitool.planted.base import Drawn, Planted
from mitool.planted.heads import POSITIONS, look_back
from mitool.planted.stream import Weights
from mitool.tasks.induction import Induction

TASK = Induction(length=12, max_value=15, subsequence=4, times=2)
PREVIOUS, MATCHING = (0, 1), (1, 2)
NATS = 10.0
"""By how much the score of a match exceeds any other."""


def build() -> ToyTransformer:
    """The matching head's query is the token that it stands on, its keys the tokens before, which
    the previous-token head wrote (K-composition), and its values the tokens themselves.
    """
    n, n_out = TASK.d_vocab, TASK.d_vocab_out
    places = {"token": n, "before": n, POSITIONS: TASK.n_ctx, "answer": n_out}
    weights = Weights("induction", TASK, places, carried=n, n_layers=3)
    weights.embed("token", torch.eye(n))
    weights.embed_positions(POSITIONS)
    look_back(weights, *PREVIOUS)
    weights.carry(*PREVIOUS, "token", "before", torch.eye(n))
    weights.look(*MATCHING, ("token", torch.eye(n)), ("before", torch.eye(n)), NATS)
    weights.carry(*MATCHING, "token", "answer", torch.eye(n)[:, :n_out])
    weights.unembed("answer", torch.eye(n_out))
    return weights.model()


def draw(n: int, generator: Generator) -> Drawn:
    """``[BOS .. A B .. C D .. A]``, answered by B, every other token once.

    Of three pairs one has another last token, C, so that the query changes; one has another token
    for B, so that the value changes; and one has A and C exchanged where they first stand, so
    that the keys change.
    """
    length = TASK.answer_positions[-1]  # tokens behind BOS, the last one a repeat
    order = torch.rand(n, TASK.d_vocab_out, generator=generator).argsort(dim=-1)
    start = torch.randint(length - 5, (n,), generator=generator)  # of A; C comes at least 2 later
    room = length - 2 - (start + 2)
    later = start + 2 + (torch.rand(n, generator=generator) * room).long()
    rows = torch.arange(n)
    first, second = order[rows, start], order[rows, later]
    right, wrong = order[rows, start + 1], order[rows, later + 1]
    clean, corrupted = order[:, :length].clone(), order[:, :length].clone()
    clean[:, -1] = corrupted[:, -1] = first
    kind = rows % 3
    corrupted[kind == 0, -1] = second[kind == 0]
    replaced, exchanged = kind == 1, kind == 2
    unused = order[:, length]
    corrupted[rows[replaced], start[replaced] + 1] = unused[replaced]
    wrong = torch.where(replaced, unused, wrong)
    corrupted[rows[exchanged], start[exchanged]] = second[exchanged]
    corrupted[rows[exchanged], later[exchanged]] = first[exchanged]
    return _behind_bos(clean), _behind_bos(corrupted), right, wrong


def _behind_bos(tokens: Tensor) -> Tensor:
    return torch.cat([torch.full((len(tokens), 1), TASK.d_vocab - 1), tokens], dim=-1)


BEFORE, MATCH = head_name(*PREVIOUS), head_name(*MATCHING)

PLANTED = Planted(
    name="induction",
    summary="a previous-token head, and an induction head that matches by its keys",
    sources=(
        "Elhage et al. 2021, A Mathematical Framework for Transformer Circuits",
        "Olsson et al. 2022, arXiv 2209.11895",
    ),
    task=TASK,
    truth=(
        f"input->{BEFORE}<v>",
        f"input->{MATCH}<q>",
        f"{BEFORE}->{MATCH}<k>",
        f"input->{MATCH}<v>",
        f"{MATCH}->logits",
    ),
    build=build,
    draw=draw,
)
