"""A batch prepared for the toy transformer: its distinct (token, position) pairs, listed once.

What happens before attention in the first block depends on the pair alone. A batch of 3 830
examples of modular addition has 11 490 tokens but only 227 distinct pairs.
"""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.models.mixing import Pattern


@dataclass(frozen=True)
class Queries:
    """Which rows of the table ask, at some positions of each example.

    Attributes:
        positions: the positions.
        rows: the distinct rows of the table there.
        index: the place in ``rows`` of each example's token at each of the positions.
    """

    positions: tuple[int, ...]
    rows: Int[Tensor, " query"]
    index: Int[Tensor, "example position"]


@dataclass(frozen=True)
class Inputs:
    """Tokens as rows of a table of distinct (token, position) pairs.

    Attributes:
        row_tokens: the token of each distinct pair.
        row_positions: its position.
        index: the row of each token of each example.
        answer_positions: the positions at which logits are asked for.
        shared_row: the row of the last position, where all examples end in the same token.
    """

    row_tokens: Int[Tensor, " row"]
    row_positions: Int[Tensor, " row"]
    index: Int[Tensor, "example pos"]
    answer_positions: tuple[int, ...]
    shared_row: int | None
    _queries: dict[tuple[int, ...], Queries] = field(default_factory=dict, repr=False)
    _patterns: dict[tuple[object, ...], Pattern] = field(default_factory=dict, repr=False)

    @property
    def n_examples(self) -> int:
        return self.index.shape[0]

    @property
    def n_ctx(self) -> int:
        return self.index.shape[1]

    @property
    def n_rows(self) -> int:
        return len(self.row_tokens)

    @property
    def all_positions(self) -> tuple[int, ...]:
        return tuple(range(self.n_ctx))

    def __getitem__(self, chosen: Int[Tensor, " chosen"]) -> "Inputs":
        """A batch of some of the examples, with the same table of rows."""
        return replace(self, index=self.index[chosen], _queries={}, _patterns={})

    def queries(self, positions: tuple[int, ...]) -> Queries:
        """The rows that ask at ``positions``; worked out once."""
        if positions not in self._queries:
            rows, index = torch.unique(self.index[:, list(positions)], return_inverse=True)
            self._queries[positions] = Queries(positions, rows, index)
        return self._queries[positions]

    def score_pattern(self, queries: Queries) -> Pattern:
        """Where each query's scores are in a table [query row * key row], one key after the
        other; worked out once.
        """
        key = ("scores", *queries.positions)
        if key not in self._patterns:
            pairs = queries.index[:, :, None] * self.n_rows + self.index[:, None, :]
            n_pairs = len(queries.rows) * self.n_rows
            self._patterns[key] = Pattern(pairs.reshape(-1, 1), n_pairs)
        return self._patterns[key]

    def mixing_pattern(self, queries: Queries, n_heads: int) -> Pattern:
        """What ``residual.Mixture`` reads for each query: its own row, then keys by head;
        worked out once.

        The last position is left out where all examples share its row: attention sums to one,
        so the row's share is what the others leave.
        """
        key = ("values", n_heads, *queries.positions)
        if key not in self._patterns:
            n_queries = len(queries.positions)
            heads = len(queries.rows) + self.n_rows * torch.arange(n_heads).to(self.index)
            read = self.index if self.shared_row is None else self.index[:, :-1]
            keys = (read[:, :, None] + heads).flatten(1).repeat_interleave(n_queries, dim=0)
            index = torch.cat([queries.index.reshape(-1, 1), keys], dim=1)
            self._patterns[key] = Pattern(index, len(queries.rows) + self.n_rows * n_heads)
        return self._patterns[key]


def prepare(
    tokens: Int[Tensor, "example pos"], answer_positions: tuple[int, ...] | None = None
) -> Inputs:
    """List the distinct (token, position) pairs of ``tokens``.

    Args:
        answer_positions: where logits are asked for; all positions if left out.
    """
    n_ctx = tokens.shape[1]
    codes = tokens * n_ctx + torch.arange(n_ctx, device=tokens.device)
    distinct, index = torch.unique(codes, return_inverse=True)
    positions = tuple(range(n_ctx)) if answer_positions is None else answer_positions
    shared = int(index[0, -1]) if (index[:, -1] == index[0, -1]).all() else None
    return Inputs(distinct // n_ctx, distinct % n_ctx, index, positions, shared)
