"""What the tasks on lists of numbers share: their parameters, vocabulary and published training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import TrainingSettings
from mitool.tasks.base import Task

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor

TRAINING = TrainingSettings(
    epochs=4_000,
    lr=1e-3,
    weight_decay=0.01,
    betas=(0.9, 0.999),
    batch_size=256,
    eval_every=50,
)
"""The published training, as far as it is the same for several tasks."""


@dataclass(frozen=True, config=FROZEN)
class ListTask(Task):
    """A task on a list of numbers, which come first in the vocabulary and are the outputs."""

    length: Annotated[int, Field(ge=1, le=512, description="Numbers in the list")] = 10
    max_value: Annotated[int, Field(ge=1, le=65535, description="Values are 0 to this number")] = 49

    special: ClassVar[tuple[str, ...]]
    """The tokens behind the numbers in the vocabulary."""

    copies_operand: ClassVar[bool] = True
    outputs_are_tokens: ClassVar[bool] = True

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.max_value + 1)), *self.special)

    @property
    def d_vocab_out(self) -> int:
        return self.max_value + 1

    @property
    def operand_positions(self) -> tuple[int, ...]:
        return tuple(range(1, self.length + 1))

    def draw(self, n: int, generator: Generator) -> Int[Tensor, "example length"]:
        """Lists of numbers, each drawn evenly."""
        import torch

        return torch.randint(self.max_value + 1, (n, self.length), generator=generator)

    def column(self, name: str, n: int) -> Int[Tensor, "example 1"]:
        """One of the special tokens, for ``n`` examples."""
        import torch

        return torch.full((n, 1), self.max_value + 1 + self.special.index(name))


@dataclass(frozen=True, config=FROZEN)
class IndexedListTask(ListTask):
    """A task on a list of numbers and on indices into it, which are numbers too."""

    @model_validator(mode="after")
    def _check_indices(self) -> IndexedListTask:
        if self.max_value < self.length - 1:
            raise ValueError(
                f"max_value: expected at least length - 1 = {self.length - 1}, so that every index "
                f"is a value, found {self.max_value}"
            )
        return self
