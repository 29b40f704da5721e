"""Is one number smaller than another? A task of one's own in one file, by the stable names alone.

    mitool train examples/compare.py -o runs/compare
    mitool sweep "train examples/compare.py" --grid n_values=8,16 --grid seed=0:2
    mitool patch runs/compare --task examples/compare.py
    mitool.train("examples/compare.py", n_values=8)

time: 11 s for the first line, on two cores
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

import mitool

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@dataclass(frozen=True, config=mitool.FROZEN)
class Compare(mitool.Task):
    """``[a, b, ?]`` with 1 read at ``?`` where a < b, else 0."""

    n_values: Annotated[int, Field(ge=2, le=500, description="Values of each number")] = 32
    frac_train: Annotated[float, Field(gt=0, lt=1, description="Share that trains")] = 0.7

    name: ClassVar[str] = "compare"
    summary: ClassVar[str] = "Whether the first of two numbers is the smaller one"
    sources: ClassVar[tuple[str, ...]] = ("an example of mitool's",)
    model: ClassVar[mitool.ModelSettings] = mitool.ModelSettings(d_model=32)
    training: ClassVar[mitool.TrainingSettings] = mitool.TrainingSettings(epochs=1_000)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.n_values)), "?")

    @property
    def d_vocab_out(self) -> int:
        return 2

    @property
    def n_ctx(self) -> int:
        return 3

    @property
    def operand_positions(self) -> tuple[int, int]:
        return 0, 1

    @property
    def n_examples(self) -> int:
        return self.n_values**2

    def examples(self) -> mitool.Examples:
        import torch

        values = torch.arange(self.n_values)
        return self._examples(torch.cartesian_prod(values, values))

    def sample(self, n: int, generator: Generator) -> mitool.Examples:
        import torch

        return self._examples(torch.randint(self.n_values, (n, 2), generator=generator))

    def split(self, seed: int) -> mitool.Split:
        return mitool.Split(self.frac_train, seed)

    def corrupt(self, clean: mitool.Examples, generator: Generator) -> mitool.Examples:
        """The two numbers the other way round."""
        return self._examples(clean.tokens[:, :2].flip(1))

    def _examples(self, numbers: Int[Tensor, "example 2"]) -> mitool.Examples:
        import torch

        asked = torch.full_like(numbers[:, :1], self.n_values)
        smaller = (numbers[:, :1] < numbers[:, 1:]).long()
        return mitool.Examples(torch.cat([numbers, asked], dim=1), smaller)
