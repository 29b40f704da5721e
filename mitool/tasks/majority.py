"""The majority of a list: a task for one attention head."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples
from mitool.tasks.lists import TRAINING, ListTask

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@dataclass(frozen=True, config=FROZEN)
class Majority(ListTask):
    """``[BOS, x1, .., xn, END]`` with the value that more than half of the xs have, at ``END``.

    How often it stands there is drawn evenly from all that is a majority; where it stands, and
    the other values, are drawn evenly too. END and BOS are the last two tokens.
    """

    name: ClassVar[str] = "majority"
    summary: ClassVar[str] = "The value that more than half of a list has"
    sources: ClassVar[tuple[str, ...]] = ("The majority-element interpretability problem",)
    special: ClassVar[tuple[str, ...]] = ("END", "BOS")
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=1, n_heads=1, d_model=64, attn_only=True
    )
    training: ClassVar[TrainingSettings] = TRAINING

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
        return self._examples(torch.where(places < counts, majority, others), majority)

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The list with another value wherever the majority's stands."""
        import torch

        values = clean.tokens[:, 1 : self.length + 1]
        step = torch.randint(1, self.d_vocab_out, (len(clean), 1), generator=generator)
        other = (clean.targets + step) % self.d_vocab_out
        return self._examples(torch.where(values == clean.targets, other, values), other)

    def _examples(
        self, values: Int[Tensor, "example length"], majority: Int[Tensor, "example 1"]
    ) -> Examples:
        import torch

        bos, end = (self.column(name, len(values)) for name in ("BOS", "END"))
        return Examples(torch.cat([bos, values, end], dim=-1), majority)
