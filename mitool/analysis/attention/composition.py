"""Composition of heads of different layers, from the weights alone.

The composition scores are ``||M_2 W_OV^1||_F / (||M_2||_F ||W_OV^1||_F)`` with M_2 the later head's
W_QK^T, W_QK or W_OV for Q-, K- and V-composition (Elhage et al. 2021). All of it is worked out
between factors d_head wide.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.attention.circuits import Factors, copying_score
from mitool.analysis.attention.weights import Weights


@dataclass(frozen=True)
class Composition:
    """Scores [earlier head, later head], heads numbered layer by layer; NaN where the first is not
    in an earlier layer.

    Attributes:
        virtual_copying: the copying score of the virtual head that both make together.
        chance: the scores' expectation for random weights of these shapes, about.
    """

    q: Float[Tensor, "earlier later"]
    k: Float[Tensor, "earlier later"]
    v: Float[Tensor, "earlier later"]
    virtual_copying: Float[Tensor, "earlier later"]
    chance: float


def composition(weights: Weights) -> Composition | None:
    """The scores of all pairs of heads; None for a model of one layer."""
    n_layers, n_heads, d_model, _ = weights.W_Q.shape
    if n_layers < 2:
        return None
    n = n_layers * n_heads
    q, k, v, virtual = (torch.full((n, n), torch.nan, dtype=torch.float64) for _ in range(4))
    for earlier, (layer1, head1) in enumerate(weights.heads):
        written = Factors(weights.W_V[layer1, head1], weights.W_O[layer1, head1])
        for later, (layer2, head2) in enumerate(weights.heads):
            if layer2 <= layer1:
                continue
            W_Q, W_K = weights.W_Q[layer2, head2], weights.W_K[layer2, head2]
            W_V, W_O = weights.W_V[layer2, head2], weights.W_O[layer2, head2]
            # the earlier head's output, a row vector, meets the later head's matrix on its right
            q[earlier, later] = _score(written, Factors(W_Q, W_K.T))
            k[earlier, later] = _score(written, Factors(W_K, W_Q.T))
            v[earlier, later] = _score(written, Factors(W_V, W_O))
            loop = written.right @ W_V @ W_O @ weights.from_unembedding @ written.left
            share = copying_score(torch.linalg.eigvals(loop))
            virtual[earlier, later] = torch.nan if share is None else share
    return Composition(q, k, v, virtual, chance=d_model**-0.5)


def _score(first: Factors, second: Factors) -> float:
    """``||A B|| / (||A|| ||B||)`` in Frobenius norms; 0 where one is 0."""
    size = _norm(first.left, first.right) * _norm(second.left, second.right)
    product = _norm(first.left, first.right @ second.left @ second.right)
    return product / size if size else 0.0


def _norm(left: Float[Tensor, "row inner"], right: Float[Tensor, "inner column"]) -> float:
    """The Frobenius norm of ``left @ right``, by the inner products of their factors."""
    squared = ((left.T @ left) * (right @ right.T)).sum().item()
    return max(squared, 0.0) ** 0.5
