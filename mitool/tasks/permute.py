"""Permuting a list by given indices: a task for two layers of attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, change_one
from mitool.tasks.lists import TRAINING, IndexedListTask

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@dataclass(frozen=True, config=FROZEN)
class Permute(IndexedListTask):
    """``[BOS, x0, .., MID, i0, .., END, x_i0, ..]``: the xs in the order of the is, which are a
    permutation of 0, 1, ..

    Each answer is read at the token before it. END, MID and BOS are the last three tokens.
    """

    length: Annotated[int, Field(ge=2, le=128, description="Numbers in the list")] = 3

    name: ClassVar[str] = "permute"
    summary: ClassVar[str] = "A list in the order that a list of indices gives"
    sources: ClassVar[tuple[str, ...]] = ("The permute-a-list interpretability problem",)
    special: ClassVar[tuple[str, ...]] = ("END", "MID", "BOS")
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=2, n_heads=1, d_model=128, attn_only=True
    )
    training: ClassVar[TrainingSettings] = TRAINING

    @property
    def n_ctx(self) -> int:
        return 3 * self.length + 3

    @property
    def answer_positions(self) -> tuple[int, ...]:
        return tuple(range(2 * self.length + 2, 3 * self.length + 2))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        values = self.draw(n, generator)
        indices = torch.rand(n, self.length, generator=generator).argsort(dim=-1)
        return self._examples(values, indices)

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The list with one number changed, in the same order."""
        values = clean.tokens[:, 1 : self.length + 1]
        indices = clean.tokens[:, self.length + 2 : 2 * self.length + 2]
        return self._examples(change_one(values, self.d_vocab_out, generator), indices)

    def _examples(
        self, values: Int[Tensor, "example length"], indices: Int[Tensor, "example length"]
    ) -> Examples:
        import torch

        bos, mid, end = (self.column(name, len(values)) for name in ("BOS", "MID", "END"))
        answers = values.gather(-1, indices)
        return Examples(torch.cat([bos, values, mid, indices, end, answers], dim=-1), answers)
