"""Scores of the known kinds of heads: what share of its attention goes where such a head looks.

As in Olsson et al. 2022 (arXiv 2209.11895) and TransformerLens's head detector: the attention of
each query on the keys that the kind looks at, averaged over the queries that have such keys.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Looks = Callable[[Int[Tensor, "example pos"]], Bool[Tensor, "example query key"]]


def previous_token(tokens: Int[Tensor, "example pos"]) -> Bool[Tensor, "example query key"]:
    """The token before the query."""
    n = tokens.shape[1]
    return torch.eye(n, dtype=torch.bool).roll(-1, dims=1).tril().expand(len(tokens), n, n)


def duplicate_token(tokens: Int[Tensor, "example pos"]) -> Bool[Tensor, "example query key"]:
    """Earlier occurrences of the query's own token."""
    return (tokens[:, :, None] == tokens[:, None, :]).tril(diagonal=-1)


def induction(tokens: Int[Tensor, "example pos"]) -> Bool[Tensor, "example query key"]:
    """What followed earlier occurrences of the query's own token; not the query itself."""
    followers = duplicate_token(tokens).roll(1, dims=2)
    followers[:, :, 0] = False
    return followers.tril(diagonal=-1)


KINDS: dict[str, Looks] = {
    "previous_token": previous_token,
    "duplicate_token": duplicate_token,
    "induction": induction,
}


@dataclass(frozen=True)
class KindScore:
    """One kind's score of every head.

    Attributes:
        scores: [layer, head]; NaN where no query has a key of the kind.
        chance: the same for attention permuted at random over the keys that each query may see:
            exactly the share of those keys that are of the kind.
        n_queries: how many queries have such keys.
    """

    scores: Float[Tensor, "layer head"]
    chance: float
    n_queries: int


class KindScores:
    """Sums the scores of all kinds over batches of patterns."""

    def __init__(self, n_layers: int, n_heads: int, *, causal: bool) -> None:
        self._causal = causal
        self._sums = {kind: torch.zeros(n_layers, n_heads, dtype=torch.float64) for kind in KINDS}
        self._chances = dict.fromkeys(KINDS, 0.0)
        self._counts = dict.fromkeys(KINDS, 0)

    def add(
        self,
        tokens: Int[Tensor, "example pos"],
        patterns: Float[Tensor, "layer example head query key"],
    ) -> None:
        """Count a batch; patterns are looked at from every position."""
        n = tokens.shape[1]
        seen = torch.arange(1, n + 1) if self._causal else torch.full((n,), n)
        for kind, looks in KINDS.items():
            keys = looks(tokens)
            has_key = keys.any(dim=-1)
            on_keys = torch.einsum("lehqk,eqk->lh", patterns.double(), keys.double())
            self._sums[kind] += on_keys
            self._chances[kind] += (keys.sum(dim=-1) / seen)[has_key].sum().item()
            self._counts[kind] += int(has_key.sum())

    def result(self) -> dict[str, KindScore]:
        found = {}
        for kind, sums in self._sums.items():
            n = self._counts[kind]
            chance = self._chances[kind] / n if n else torch.nan
            found[kind] = KindScore(sums / n if n else sums * torch.nan, chance, n)
        return found
