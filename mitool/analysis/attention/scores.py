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


def current_token(tokens: Int[Tensor, "example pos"]) -> Bool[Tensor, "example query key"]:
    """The query itself, but for the first, which may have no other choice."""
    n = tokens.shape[1]
    itself = torch.eye(n, dtype=torch.bool)
    itself[0] = False
    return itself.expand(len(tokens), n, n)


def duplicate_token(tokens: Int[Tensor, "example pos"]) -> Bool[Tensor, "example query key"]:
    """Earlier occurrences of the query's own token."""
    return (tokens[:, :, None] == tokens[:, None, :]).tril(diagonal=-1)


def induction(tokens: Int[Tensor, "example pos"]) -> Bool[Tensor, "example query key"]:
    """What followed earlier occurrences of the query's own token; not the query itself."""
    followers = duplicate_token(tokens).roll(1, dims=2)
    followers[:, :, 0] = False
    return followers.tril(diagonal=-1)


KINDS: dict[str, Looks] = {
    "current_token": current_token,
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
        by_position: the same for attention permuted at random among the prompts of one length:
            exactly what the mean pattern scores. A head that looks at fixed positions, whatever
            stands there, scores no more than this.
        n_queries: how many queries have such keys.
    """

    scores: Float[Tensor, "layer head"]
    chance: float
    by_position: Float[Tensor, "layer head"]
    n_queries: int


class KindScores:
    """Sums the scores of all kinds over batches of patterns."""

    def __init__(self, n_layers: int, n_heads: int, *, causal: bool) -> None:
        self._causal = causal
        self._sums = {kind: torch.zeros(n_layers, n_heads, dtype=torch.float64) for kind in KINDS}
        self._chances = dict.fromkeys(KINDS, 0.0)
        self._counts = dict.fromkeys(KINDS, 0)
        self._patterns: dict[int, Tensor] = {}
        self._keys: dict[tuple[str, int], Tensor] = {}
        self._examples: dict[int, int] = {}

    def add(
        self,
        tokens: Int[Tensor, "example pos"],
        patterns: Float[Tensor, "layer example head query key"],
    ) -> None:
        """Count a batch; patterns are looked at from every position."""
        n, attention = tokens.shape[1], patterns.double()
        seen = torch.arange(1, n + 1) if self._causal else torch.full((n,), n)
        self._examples[n] = self._examples.get(n, 0) + len(tokens)
        self._patterns[n] = self._patterns.get(n, torch.zeros(())) + attention.sum(dim=1)
        for kind, looks in KINDS.items():
            keys = looks(tokens)
            has_key = keys.any(dim=-1)
            self._sums[kind] += torch.einsum("lehqk,eqk->lh", attention, keys.double())
            self._chances[kind] += (keys.sum(dim=-1) / seen)[has_key].sum().item()
            self._counts[kind] += int(has_key.sum())
            total = self._keys.get((kind, n), torch.zeros(()))
            self._keys[kind, n] = total + keys.double().sum(dim=0)

    def result(self) -> dict[str, KindScore]:
        found = {}
        for kind, sums in self._sums.items():
            count = self._counts[kind]
            by_position = torch.zeros_like(sums)
            for n, pattern in self._patterns.items():
                by_position += (pattern / self._examples[n] * self._keys[kind, n]).sum(dim=(-2, -1))
            found[kind] = KindScore(
                scores=sums / count if count else sums * torch.nan,
                chance=self._chances[kind] / count if count else torch.nan,
                by_position=by_position / count if count else sums * torch.nan,
                n_queries=count,
            )
        return found
