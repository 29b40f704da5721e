"""Addition of two numbers digit by digit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, Task, change_one

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor

PLUS, EQUALS = 10, 11


@dataclass(frozen=True, config=FROZEN)
class Digits(Task):
    """``[x_n, .., x_1, +, y_n, .., y_1, =, z_n+1, .., z_1]``: the digits of x + y = z, the most
    significant first, the sum with one digit more than x and y.

    Each digit of the sum is read at the token before it. Without the operators it is minGPT's
    layout, in which 42 + 73 = 115 is ``4 2 7 3 1 1 5``.
    """

    digits: Annotated[int, Field(ge=1, le=17, description="Digits of each number")] = 5
    operators: Annotated[bool, Field(description="Write the tokens + and =")] = True
    reverse_sum: Annotated[
        bool, Field(description="Write the sum least significant digit first")
    ] = False

    name: ClassVar[str] = "digits"
    summary: ClassVar[str] = "Addition of two numbers digit by digit"
    sources: ClassVar[tuple[str, ...]] = (
        "Nanda et al. 2023, arXiv 2301.05217 (non-modular tasks)",
        "minGPT, projects/adder",
    )
    outputs_are_tokens: ClassVar[bool] = True
    model: ClassVar[ModelSettings] = ModelSettings(n_layers=1, n_heads=4, d_model=128, d_mlp=512)
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=30_000,
        lr=1e-4,
        weight_decay=0.1,
        betas=(0.9, 0.98),
        batch_size=64,
        eval_every=250,
    )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(10)), *(("+", "=") if self.operators else ()))

    @property
    def d_vocab_out(self) -> int:
        return 10

    @property
    def n_ctx(self) -> int:
        return 3 * self.digits + 1 + 2 * self.operators

    @property
    def answer_positions(self) -> tuple[int, ...]:
        return tuple(range(self.n_ctx - self.digits - 2, self.n_ctx - 1))

    @property
    def answer_labels(self) -> tuple[str, ...]:
        """The place value of each digit of the sum."""
        labels = [f"the sum's 10^{power}" for power in range(self.digits, -1, -1)]
        return tuple(reversed(labels) if self.reverse_sum else labels)

    @property
    def operand_positions(self) -> tuple[int, ...]:
        second = self.digits + self.operators
        return (*range(self.digits), *range(second, second + self.digits))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        return self._examples(torch.randint(10, (n, 2 * self.digits), generator=generator))

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The same numbers but for one digit of one of them."""
        return self._examples(
            change_one(clean.tokens[:, list(self.operand_positions)], 10, generator)
        )

    def _examples(self, operands: Int[Tensor, "example digit"]) -> Examples:
        import torch

        x, y = operands.split(self.digits, dim=-1)
        powers = 10 ** torch.arange(self.digits, -1, -1)
        total = ((x + y) * powers[1:]).sum(dim=-1, keepdim=True)
        answer = total // powers % 10
        if self.reverse_sum:
            answer = answer.flip(-1)
        plus, equals = (torch.full_like(x[:, :1], token) for token in (PLUS, EQUALS))
        parts = [x, plus, y, equals, answer] if self.operators else [x, y, answer]
        return Examples(torch.cat(parts, dim=-1), answer)
