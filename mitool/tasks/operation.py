"""What tasks on two numbers and their one result share: ``[a, b, =]``."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.tasks.base import Examples, Split, Task, change_one

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@dataclass(frozen=True, config=FROZEN)
class Operation(Task):
    """A task on all pairs of numbers, the result read at ``=``, the last token of the vocabulary.

    A subclass has the share of the pairs that train, ``frac_train``, among its parameters.
    """

    if TYPE_CHECKING:
        frac_train: float

    outputs_are_tokens: ClassVar[bool] = True

    @property
    @abstractmethod
    def n_values(self) -> int:
        """How many numbers there are."""

    @abstractmethod
    def result(
        self, a: Int[Tensor, " example"], b: Int[Tensor, " example"]
    ) -> Int[Tensor, " example"]:
        """What comes out for these numbers."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.n_values)), "=")

    @property
    def d_vocab_out(self) -> int:
        return self.n_values

    @property
    def n_ctx(self) -> int:
        return 3

    @property
    def operand_positions(self) -> tuple[int, ...]:
        return (0, 1)

    @property
    def n_examples(self) -> int:
        return self.n_values**2

    @property
    def grid_shape(self) -> tuple[int, int]:
        return (self.n_values, self.n_values)

    def examples(self) -> Examples:
        import torch

        values = torch.arange(self.n_values)
        return self.of_operands(torch.cartesian_prod(values, values))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        return self.of_operands(torch.randint(self.n_values, (n, 2), generator=generator))

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The pair with one of the numbers changed."""
        return self.of_operands(change_one(clean.tokens[:, :2], self.n_values, generator))

    def split(self, seed: int) -> Split:
        return Split(self.frac_train, seed)

    def of_operands(self, operands: Int[Tensor, "example 2"]) -> Examples:
        """The examples of given numbers."""
        import torch

        a, b = operands.unbind(dim=-1)
        equals = torch.full_like(a, self.n_values)
        return Examples(torch.stack([a, b, equals], dim=-1), self.result(a, b)[:, None])
