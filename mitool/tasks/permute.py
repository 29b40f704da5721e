"""Permuting a list by given indices: a task for two layers of attention."""

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
class Permute(Task):
    """``[BOS, x0, .., MID, i0, .., END, x_i0, ..]``: the xs in the order of the is, which are a
    permutation of 0, 1, ..

    Each answer is read at the token before it. END, MID and BOS are the last three tokens.
    """

    length: Annotated[int, Field(ge=2, le=128, description="Numbers in the list")] = 3
    max_value: Annotated[int, Field(ge=1, le=65535, description="Values are 0 to this number")] = 49

    name: ClassVar[str] = "permute"
    summary: ClassVar[str] = "A list in the order that a list of indices gives"
    sources: ClassVar[tuple[str, ...]] = ("The permute-a-list interpretability problem",)
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=2, n_heads=1, d_model=128, attn_only=True
    )
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=4_000,
        lr=1e-3,
        weight_decay=0.01,
        betas=(0.9, 0.999),
        batch_size=256,
        eval_every=50,
    )

    @model_validator(mode="after")
    def _check_indices(self) -> Permute:
        if self.max_value < self.length - 1:
            raise ValueError(
                f"max_value: expected at least length - 1 = {self.length - 1}, so that every index "
                f"is a value, found {self.max_value}"
            )
        return self

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.max_value + 1)), "END", "MID", "BOS")

    @property
    def d_vocab_out(self) -> int:
        return self.max_value + 1

    @property
    def n_ctx(self) -> int:
        return 3 * self.length + 3

    @property
    def answer_positions(self) -> tuple[int, ...]:
        return tuple(range(2 * self.length + 2, 3 * self.length + 2))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        values = torch.randint(self.d_vocab_out, (n, self.length), generator=generator)
        indices = torch.rand(n, self.length, generator=generator).argsort(dim=-1)
        answers = values.gather(-1, indices)
        end, mid, bos = (torch.full((n, 1), self.d_vocab_out + token) for token in (0, 1, 2))
        return Examples(torch.cat([bos, values, mid, indices, end, answers], dim=-1), answers)
