"""Replacing the element of an array at a given index: a task for two layers of attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from mitool.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, Task

if TYPE_CHECKING:
    from torch import Generator


@dataclass(frozen=True, config=FROZEN)
class IndexArray(Task):
    """``[BOS, x0, .., NL, i, y, NL, x0, .., y, ..]``: the xs again with y in the place of x_i.

    Each element of the second array is read at the token before it. BOS and NL are the last two
    tokens.
    """

    length: Annotated[int, Field(ge=1, le=128, description="Elements of the array")] = 3
    max_value: Annotated[
        int, Field(ge=1, le=65535, description="Elements are 0 to this number")
    ] = 49

    name: ClassVar[str] = "index-array"
    summary: ClassVar[str] = "An array with the element at a given index replaced"
    sources: ClassVar[tuple[str, ...]] = ("The index-an-array interpretability problem",)
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=2, n_heads=1, d_model=128, attn_only=True
    )
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=1_000,
        lr=1e-3,
        weight_decay=0.01,
        betas=(0.9, 0.999),
        batch_size=256,
    )

    @model_validator(mode="after")
    def _check_indices(self) -> IndexArray:
        if self.max_value < self.length - 1:
            raise ValueError(
                f"max_value: expected at least length - 1 = {self.length - 1}, so that every index "
                f"is a value, found {self.max_value}"
            )
        return self

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.max_value + 1)), "BOS", "NL")

    @property
    def d_vocab_out(self) -> int:
        return self.max_value + 1

    @property
    def n_ctx(self) -> int:
        return 2 * self.length + 5

    @property
    def answer_positions(self) -> tuple[int, ...]:
        return tuple(range(self.length + 4, 2 * self.length + 4))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        values = torch.randint(self.d_vocab_out, (n, self.length), generator=generator)
        index = torch.randint(self.length, (n, 1), generator=generator)
        element = torch.randint(self.d_vocab_out, (n, 1), generator=generator)
        replaced = values.scatter(-1, index, element)
        bos, line = (torch.full((n, 1), self.d_vocab_out + token) for token in (0, 1))
        tokens = torch.cat([bos, values, line, index, element, line, replaced], dim=-1)
        return Examples(tokens, replaced)
