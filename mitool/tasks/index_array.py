"""Replacing the element of an array at a given index: a task for two layers of attention."""

from __future__ import annotations

from dataclasses import replace
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
class IndexArray(IndexedListTask):
    """``[BOS, x0, .., NL, i, y, NL, x0, .., y, ..]``: the xs again with y in the place of x_i.

    Each element of the second array is read at the token before it. BOS and NL are the last two
    tokens.
    """

    length: Annotated[int, Field(ge=1, le=128, description="Elements of the array")] = 3

    name: ClassVar[str] = "index-array"
    summary: ClassVar[str] = "An array with the element at a given index replaced"
    sources: ClassVar[tuple[str, ...]] = ("The index-an-array interpretability problem",)
    special: ClassVar[tuple[str, ...]] = ("BOS", "NL")
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=2, n_heads=1, d_model=128, attn_only=True
    )
    training: ClassVar[TrainingSettings] = replace(TRAINING, epochs=1_000, eval_every=25)

    @property
    def n_ctx(self) -> int:
        return 2 * self.length + 5

    @property
    def answer_positions(self) -> tuple[int, ...]:
        return tuple(range(self.length + 4, 2 * self.length + 4))

    @property
    def operand_positions(self) -> tuple[int, ...]:
        return (*range(1, self.length + 1), self.length + 3)

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        values = self.draw(n, generator)
        index = torch.randint(self.length, (n, 1), generator=generator)
        element = torch.randint(self.d_vocab_out, (n, 1), generator=generator)
        return self._examples(values, index, element)

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The array with another new element."""
        values = clean.tokens[:, 1 : self.length + 1]
        index, element = clean.tokens[:, self.length + 2 : self.length + 4].split(1, dim=-1)
        return self._examples(values, index, change_one(element, self.d_vocab_out, generator))

    def _examples(
        self,
        values: Int[Tensor, "example length"],
        index: Int[Tensor, "example 1"],
        element: Int[Tensor, "example 1"],
    ) -> Examples:
        import torch

        bos, line = (self.column(name, len(values)) for name in ("BOS", "NL"))
        replaced = values.scatter(-1, index, element)
        tokens = torch.cat([bos, values, line, index, element, line, replaced], dim=-1)
        return Examples(tokens, replaced)
