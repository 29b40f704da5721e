"""The smallest (or largest) of k integers: a task for one attention head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, Split, Task

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor

MOST_EXAMPLES = 2**20
"""Above this many operand tuples the task is a stream instead of a list."""


@dataclass(frozen=True, config=FROZEN)
class Min(Task):
    """``[x1, .., xk, =]`` with the smallest (or largest) x read at ``=`` (the last token).

    All tuples are listed and split where there are at most 2^20; beyond that they are a stream,
    which needs a batch size.
    """

    k: Annotated[int, Field(ge=1, le=64, description="Number of operands")] = 2
    max_value: Annotated[
        int, Field(ge=1, le=65535, description="Operands are 0 to this number")
    ] = 199
    op: Annotated[Literal["min", "max"], Field(description="Smallest or largest")] = "min"
    frac_train: Annotated[
        float, Field(gt=0, lt=1, description="Share of the operand tuples that train")
    ] = 0.8

    name: ClassVar[str] = "min"
    summary: ClassVar[str] = "The smallest (or largest) of k integers"
    sources: ClassVar[tuple[str, ...]] = ("The min-of-two-ints interpretability problem",)
    copies_operand: ClassVar[bool] = True
    outputs_are_tokens: ClassVar[bool] = True
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=1, n_heads=1, d_model=32, attn_only=True, positional="zero"
    )
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=4_000, lr=1e-3, weight_decay=1.0, betas=(0.9, 0.98)
    )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.max_value + 1)), "=")

    @property
    def d_vocab_out(self) -> int:
        return self.max_value + 1

    @property
    def n_ctx(self) -> int:
        return self.k + 1

    @property
    def operand_positions(self) -> tuple[int, ...]:
        return tuple(range(self.k))

    @property
    def n_examples(self) -> int | None:
        total = (self.max_value + 1) ** self.k
        return total if total <= MOST_EXAMPLES else None

    @property
    def grid_shape(self) -> tuple[int, int] | None:
        return (self.d_vocab_out,) * 2 if self.k == 2 and self.n_examples else None

    def examples(self) -> Examples:
        import torch

        if self.n_examples is None:
            return super().examples()
        operands = torch.cartesian_prod(*[torch.arange(self.d_vocab_out)] * self.k)
        return self._examples(operands.reshape(-1, self.k))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        return self._examples(torch.randint(self.d_vocab_out, (n, self.k), generator=generator))

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The tuple with its smallest (largest) operand changed, which stays the smallest.

        So a pair tells apart what carries the operand's value from what chooses the operand.
        """
        import torch

        n = len(clean)
        is_max = self.op == "max"
        operands = clean.tokens[:, : self.k]
        heights = self.max_value - operands if is_max else operands
        lowest, place = heights.min(dim=-1, keepdim=True)
        limit = torch.full((n, 1), self.max_value)
        others = heights.scatter(-1, place, limit).amin(dim=-1, keepdim=True)
        share = torch.rand(n, 1, generator=generator, dtype=torch.float64)
        changed = (lowest + 1 + (share * others).long()) % (others + 1)
        heights = heights.scatter(-1, place, changed)
        return self._examples(self.max_value - heights if is_max else heights)

    def split(self, seed: int) -> Split | None:
        return Split(self.frac_train, seed) if self.n_examples else None

    def _examples(self, operands: Int[Tensor, "example k"]) -> Examples:
        import torch

        extreme = operands.amin(dim=-1) if self.op == "min" else operands.amax(dim=-1)
        equals = torch.full_like(operands[:, :1], self.max_value + 1)
        return Examples(torch.cat([operands, equals], dim=-1), extreme[:, None])
