"""The majority of a list: a task for one attention head."""

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
class Majority(Task):
    """``[BOS, x1, .., xn, END]`` with the value that more than half of the xs have, at ``END``.

    How often it stands there is drawn evenly from all that is a majority; where it stands, and
    the other values, are drawn evenly too. END and BOS are the last two tokens.
    """

    length: Annotated[int, Field(ge=1, le=512, description="Numbers in the list")] = 10
    max_value: Annotated[int, Field(ge=1, le=65535, description="Values are 0 to this number")] = 49

    name: ClassVar[str] = "majority"
    summary: ClassVar[str] = "The value that more than half of a list has"
    sources: ClassVar[tuple[str, ...]] = ("The majority-element interpretability problem",)
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=1, n_heads=1, d_model=64, attn_only=True
    )
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=4_000,
        lr=1e-3,
        weight_decay=0.01,
        betas=(0.9, 0.999),
        batch_size=256,
        eval_every=50,
    )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.max_value + 1)), "END", "BOS")

    @property
    def d_vocab_out(self) -> int:
        return self.max_value + 1

    @property
    def n_ctx(self) -> int:
        return self.length + 2

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        majority = torch.randint(self.d_vocab_out, (n, 1), generator=generator)
        # any value but the majority's
        steps = torch.randint(1, self.d_vocab_out, (n, self.length), generator=generator)
        others = (majority + steps) % self.d_vocab_out
        least = self.length // 2 + 1
        counts = torch.randint(least, self.length + 1, (n, 1), generator=generator)
        places = torch.rand(n, self.length, generator=generator).argsort(dim=-1)
        values = torch.where(places < counts, majority, others)
        end, bos = (torch.full((n, 1), self.d_vocab_out + token) for token in (0, 1))
        return Examples(torch.cat([bos, values, end], dim=-1), majority)
