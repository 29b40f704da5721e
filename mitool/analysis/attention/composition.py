"""Composition of heads of different layers, from the weights alone.

The composition scores are ``||M_2 W_OV^1||_F / (||M_2||_F ||W_OV^1||_F)`` with M_2 the later head's
W_QK^T, W_QK or W_OV for Q-, K- and V-composition (Elhage et al. 2021). All of it is worked out
between factors d_head wide.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.attention.circuits import copying_score
from mitool.analysis.attention.weights import Weights

MOST_VIRTUAL = 1024
"""Virtual heads whose eigenvalues are worked out."""


@dataclass(frozen=True)
class Composition:
    """Scores [earlier head, later head], heads numbered layer by layer; NaN where the first is not
    in an earlier layer.

    Attributes:
        virtual_copying: the copying score of the virtual head that both make together; NaN too
            where more than ``MOST_VIRTUAL`` pairs compose more by values; None where outputs are no
            tokens, so that there is none.
        chance: the scores' expectation for random weights of these shapes, about.
    """

    q: Float[Tensor, "earlier later"]
    k: Float[Tensor, "earlier later"]
    v: Float[Tensor, "earlier later"]
    virtual_copying: Float[Tensor, "earlier later"] | None
    chance: float


def composition(weights: Weights, *, outputs_are_tokens: bool = True) -> Composition | None:
    """The scores of all pairs of heads; None for a model of one layer.

    Args:
        outputs_are_tokens: whether there is copying, from a token to its own output.
    """
    n_layers, n_heads, d_model, _ = weights.W_Q.shape
    if n_layers < 2:
        return None
    n, W_E = n_layers * n_heads, weights.W_E
    q, k, v = (W_E.new_full((n, n), torch.nan) for _ in range(3))
    W_Q, W_K, W_V, W_O = (
        weight.flatten(end_dim=1) for weight in (weights.W_Q, weights.W_K, weights.W_V, weights.W_O)
    )
    for earlier in range(n - n_heads):
        rest = slice((earlier // n_heads + 1) * n_heads, n)
        reads, writes = W_V[earlier], W_O[earlier]
        # the earlier head's output, a row vector, meets the later head's matrix on its right
        q[earlier, rest] = _scores(reads, writes, W_Q[rest], W_K[rest].mT)
        k[earlier, rest] = _scores(reads, writes, W_K[rest], W_Q[rest].mT)
        v[earlier, rest] = _scores(reads, writes, W_V[rest], W_O[rest])
    virtual = _virtual_copying(weights, v) if outputs_are_tokens else None
    return Composition(q, k, v, virtual, chance=d_model**-0.5)


def _virtual_copying(
    weights: Weights, v: Float[Tensor, "earlier later"]
) -> Float[Tensor, "earlier later"]:
    W_V, W_O = weights.W_V.flatten(end_dim=1), weights.W_O.flatten(end_dim=1)
    virtual = torch.full_like(v, torch.nan)
    for earlier, later in _composed_most(v):
        loop = (W_O[earlier] @ W_V[later]) @ (
            W_O[later] @ (weights.from_unembedding @ W_V[earlier])
        )
        share = copying_score(torch.linalg.eigvals(loop))
        virtual[earlier, later] = torch.nan if share is None else share
    return virtual


def _composed_most(v: Float[Tensor, "earlier later"]) -> list[list[int]]:
    """The pairs of heads that compose most by values, at most ``MOST_VIRTUAL`` of them."""
    pairs = (~v.isnan()).nonzero()
    most = v[pairs[:, 0], pairs[:, 1]].argsort(descending=True)[:MOST_VIRTUAL]
    return pairs[most].tolist()


def _scores(
    A: Float[Tensor, "d_model d_head"],
    B: Float[Tensor, "d_head d_model"],
    C: Float[Tensor, "later d_model d_head"],
    D: Float[Tensor, "later d_head d_model"],
) -> Float[Tensor, " later"]:
    """``||A B C D|| / (||A B|| ||C D||)`` in Frobenius norms; 0 where one of these is 0.

    ``||X M Y||^2 = tr(X^T X  M  Y Y^T  M^T)``, which takes products of d_head only.
    """
    inner, outer_A, outer_D = B @ C, A.T @ A, D @ D.mT
    whole = _norms(outer_A, inner, outer_D)
    one = torch.eye(len(outer_A), dtype=A.dtype)
    sizes = _norms(outer_A, one, B @ B.T) * _norms(C.mT @ C, one, outer_D)
    return torch.where(sizes > 0, whole / sizes, 0.0)


def _norms(
    left: Float[Tensor, "*later inner inner"],
    middle: Float[Tensor, "*later inner other"],
    right: Float[Tensor, "*later other other"],
) -> Float[Tensor, "*later"]:
    """``||X M Y||`` from ``X^T X``, ``M`` and ``Y Y^T``."""
    squares = ((left @ middle @ right) * middle).sum(dim=(-2, -1))
    return squares.clamp(min=0.0).sqrt()
