"""Sorting a list of numbers: a task for one attention head."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, change_one
from mitool.tasks.lists import TRAINING, ListTask

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@dataclass(frozen=True, config=FROZEN)
class Sort(ListTask):
    """``[BOS, x1, .., xn, MID, y1, .., yn]``, the ys being the xs in rising order.

    Each y is read at the token before it. BOS and MID are the last two tokens.
    """

    name: ClassVar[str] = "sort"
    summary: ClassVar[str] = "A list of numbers in rising order"
    sources: ClassVar[tuple[str, ...]] = ("The sorted-list interpretability problem",)
    special: ClassVar[tuple[str, ...]] = ("BOS", "MID")
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=1, n_heads=1, d_model=128, attn_only=True
    )
    training: ClassVar[TrainingSettings] = replace(
        TRAINING, epochs=10_000, betas=(0.9, 0.98), eval_every=100
    )

    @property
    def n_ctx(self) -> int:
        return 2 * self.length + 2

    @property
    def answer_positions(self) -> tuple[int, ...]:
        return tuple(range(self.length + 1, 2 * self.length + 1))

    def sample(self, n: int, generator: Generator) -> Examples:
        return self._examples(self.draw(n, generator))

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The list with one number changed."""
        values = clean.tokens[:, 1 : self.length + 1]
        return self._examples(change_one(values, self.d_vocab_out, generator))

    def _examples(self, values: Int[Tensor, "example length"]) -> Examples:
        import torch

        bos, mid = (self.column(name, len(values)) for name in ("BOS", "MID"))
        ordered = values.sort(dim=-1).values
        return Examples(torch.cat([bos, values, mid, ordered], dim=-1), ordered)
