"""Sorting a list of numbers: a task for one attention head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, Task

if TYPE_CHECKING:
    from torch import Generator


@dataclass(frozen=True, config=FROZEN)
class Sort(Task):
    """``[BOS, x1, .., xn, MID, y1, .., yn]``, the ys being the xs in rising order.

    Each y is read at the token before it. BOS and MID are the last two tokens.
    """

    length: Annotated[int, Field(ge=1, le=512, description="Numbers in the list")] = 10
    max_value: Annotated[int, Field(ge=1, le=65535, description="Values are 0 to this number")] = 49

    name: ClassVar[str] = "sort"
    summary: ClassVar[str] = "A list of numbers in rising order"
    sources: ClassVar[tuple[str, ...]] = ("The sorted-list interpretability problem",)
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=1, n_heads=1, d_model=128, attn_only=True
    )
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=10_000,
        lr=1e-3,
        weight_decay=0.01,
        betas=(0.9, 0.98),
        batch_size=256,
        eval_every=100,
    )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.max_value + 1)), "BOS", "MID")

    @property
    def d_vocab_out(self) -> int:
        return self.max_value + 1

    @property
    def n_ctx(self) -> int:
        return 2 * self.length + 2

    @property
    def answer_positions(self) -> tuple[int, ...]:
        return tuple(range(self.length + 1, 2 * self.length + 1))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        values = torch.randint(self.d_vocab_out, (n, self.length), generator=generator)
        ordered = values.sort(dim=-1).values
        bos, mid = (torch.full((n, 1), self.d_vocab_out + token) for token in (0, 1))
        return Examples(torch.cat([bos, values, mid, ordered], dim=-1), ordered)
