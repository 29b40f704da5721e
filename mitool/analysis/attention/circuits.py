"""Full circuits of a head: what it attends to by the tokens alone, and what it writes for them.

The OV circuit is ``W_E W_V W_O W_U`` [source token, output], with norms folded in up to their
scales; the QK circuit is ``q k^T`` times the scale of scores [query token, key token], with the
queries and keys of a stream that holds a token's embedding alone: without norms and biases that is
``W_E W_Q W_K^T W_E^T / sqrt(d_head)`` (Elhage et al. 2021, A Mathematical Framework for
Transformer Circuits). Both have rank d_head and are kept as their factors; of a large vocabulary
only some rows are multiplied out.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from mitool.analysis.attention.contexts import OneTokenContexts
from mitool.analysis.attention.weights import Weights
from mitool.core.device import generator

MOST_ROWS = 512
"""Source tokens whose row of an OV circuit is multiplied out; of more, so many are drawn."""


@dataclass(frozen=True)
class Factors:
    """A matrix as ``left @ right``.

    Attributes:
        left: [row, d_head].
        right: [d_head, column].
        soft_cap: ``c`` where the product ``x`` is in the end ``c tanh(x / c)``.
    """

    left: Float[Tensor, "row_of_all d_head"]
    right: Float[Tensor, "d_head column"]
    soft_cap: float | None = None

    def rows(self, chosen: Int[Tensor, " row"]) -> Float[Tensor, "row column"]:
        """Some rows, multiplied out."""
        return self._capped(self.left[chosen] @ self.right)

    def cells(
        self, rows: Int[Tensor, " row"], columns: Int[Tensor, " column_of_some"]
    ) -> Float[Tensor, "row column_of_some"]:
        """Where some rows and columns cross, multiplied out."""
        return self._capped(self.left[rows] @ self.right[:, columns])

    def dense(self) -> Float[Tensor, "row column"]:
        return self._capped(self.left @ self.right)

    def _capped(self, product: Float[Tensor, "row column"]) -> Float[Tensor, "row column"]:
        cap = self.soft_cap
        return product if cap is None else cap * (product / cap).tanh()


def ov_circuit(weights: Weights, layer: int, head: int) -> Factors:
    """Source token -> output."""
    return Factors(weights.W_E @ weights.W_V[layer, head], weights.W_O[layer, head] @ weights.W_U)


def qk_circuit(
    contexts: OneTokenContexts,
    layer: int,
    head: int,
    queries: Int[Tensor, " query"] | None = None,
    keys: Int[Tensor, " key"] | None = None,
) -> Factors:
    """Query token -> key token: the score of two such tokens at one position.

    Args:
        queries: these tokens alone ask; left out, all do.
        keys: likewise, of those that are asked for.
    """
    q, k = contexts.taken(layer, head, "q", queries), contexts.taken(layer, head, "k", keys)
    return Factors(q * contexts.scale(layer), k.T, contexts.soft_cap(layer))


def positional_circuit(
    contexts: OneTokenContexts, weights: Weights, layer: int, head: int
) -> Factors | None:
    """Query position -> key position, ``W_pos W_Q W_K^T W_pos^T`` times the scale of scores; None
    where positions are not embedded.
    """
    if weights.W_pos is None:
        return None
    q, k = weights.W_pos @ weights.W_Q[layer, head], weights.W_pos @ weights.W_K[layer, head]
    return Factors(q * contexts.scale(layer), k.T)


def chosen_tokens(n_outputs: int, seed: int) -> Int[Tensor, " chosen"]:
    """The tokens whose rows are multiplied out: all, or ``MOST_ROWS`` drawn."""
    if n_outputs <= MOST_ROWS:
        return torch.arange(n_outputs)
    order = torch.randperm(n_outputs, generator=generator(seed, "rows of circuits"))
    return order[:MOST_ROWS].sort().values


@dataclass(frozen=True)
class OnItself:
    """What a head writes for a token to the token's own output.

    Attributes:
        top1: the share of tokens whose largest output is the token itself.
        raised: the share of tokens whose own output is above the mean of all outputs.
    """

    top1: float
    raised: float


def ov_on_itself(
    weights: Weights, layer: int, head: int, tokens: Int[Tensor, " chosen"]
) -> OnItself:
    """What the OV circuit does to ``tokens`` themselves, which are outputs."""
    source = weights.W_E[tokens] @ weights.W_V[layer, head]
    outputs = source @ (weights.W_O[layer, head] @ weights.W_U)
    own, mean = outputs.gather(-1, tokens[:, None])[:, 0], outputs.mean(dim=-1)
    return OnItself(
        (outputs.argmax(dim=-1) == tokens).double().mean().item(),
        (own > mean).double().mean().item(),
    )


def ov_eigenvalues(weights: Weights, layer: int, head: int) -> Complex[Tensor, " d_head"]:
    """Those of the OV circuit that need not be 0; of its square part, tokens that are outputs.

    A B and B A have the same ones, and the second is only d_head wide.
    """
    loop = weights.W_O[layer, head] @ weights.from_unembedding @ weights.W_V[layer, head]
    return torch.linalg.eigvals(loop)


def copying_score(eigenvalues: Complex[Tensor, " d_head"]) -> float | None:
    """The share of the eigenvalues' absolute sum that has a positive real part; None for a zero
    matrix.

    With real eigenvalues it is (1 + s) / 2 for the s = sum(x) / sum(|x|) of Elhage et al. 2021.
    """
    sizes = eigenvalues.abs()
    total = sizes.sum().item()
    return sizes[eigenvalues.real > 0].sum().item() / total if total else None
