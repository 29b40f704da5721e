"""Boolean gates, bit by bit: the smallest tasks that attention alone cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, Split, Task, change_one

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@dataclass(frozen=True, config=FROZEN)
class Gate(Task):
    """``[x, y, =]`` with x op y, taken bit by bit, read at ``=`` (the last token).

    The numbers are the words of so many bits, 0 to 2^bits - 1; ``xor`` is addition in the group
    of these words, which the transformers that grok modular addition learn too. The settings are
    this project's own.
    """

    bits: Annotated[int, Field(ge=1, le=10, description="Bits of each number")] = 5
    op: Annotated[Literal["and", "or", "xor"], Field(description="The gate, of each bit")] = "xor"
    frac_train: Annotated[
        float, Field(gt=0, lt=1, description="Share of the pairs of numbers that train")
    ] = 0.6

    name: ClassVar[str] = "gate"
    summary: ClassVar[str] = "Boolean gates (and, or, xor) of two numbers, bit by bit"
    sources: ClassVar[tuple[str, ...]] = (
        "Minsky and Papert 1969, Perceptrons (xor is not linear)",
        "Chughtai et al. 2023, arXiv 2302.03025 (transformers that learn groups)",
    )
    model: ClassVar[ModelSettings] = ModelSettings(n_layers=1, n_heads=4, d_model=64, biases="mlp")
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=1_500, lr=3e-3, weight_decay=1.0, betas=(0.9, 0.98)
    )

    @property
    def n_values(self) -> int:
        """How many numbers there are."""
        return 2**self.bits

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

        x, y = operands.unbind(dim=-1)
        answers = {"and": x & y, "or": x | y, "xor": x ^ y}[self.op]
        equals = torch.full_like(x, self.n_values)
        return Examples(torch.stack([x, y, equals], dim=-1), answers[:, None])
