"""Modular arithmetic: the task on which grokking was found and reverse-engineered."""

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

SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "square-sum": "^2+^2"}


@dataclass(frozen=True, config=FROZEN)
class ModAdd(Task):
    """``[a, b, =]`` with the answer, a op b modulo p, read at ``=`` (token p)."""

    p: Annotated[int, Field(ge=2, le=65536, description="Modulus")] = 113
    op: Annotated[
        Literal["add", "subtract", "multiply", "square-sum"],
        Field(description="a+b, a-b, a*b or a^2+b^2, modulo p"),
    ] = "add"
    frac_train: Annotated[
        float, Field(gt=0, lt=1, description="Share of the p^2 pairs that train")
    ] = 0.3

    name: ClassVar[str] = "modadd"
    summary: ClassVar[str] = "Modular arithmetic: a + b (or -, *, a^2 + b^2) mod p"
    sources: ClassVar[tuple[str, ...]] = (
        "Nanda et al. 2023, arXiv 2301.05217",
        "TransformerLens Grokking_Demo",
    )
    model: ClassVar[ModelSettings] = ModelSettings(n_layers=1, n_heads=4, d_model=128)
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=25_000, lr=1e-3, weight_decay=1.0, betas=(0.9, 0.98)
    )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.p)), "=")

    @property
    def d_vocab_out(self) -> int:
        return self.p

    @property
    def n_ctx(self) -> int:
        return 3

    @property
    def operand_positions(self) -> tuple[int, ...]:
        return (0, 1)

    @property
    def n_examples(self) -> int:
        return self.p**2

    @property
    def grid_shape(self) -> tuple[int, int]:
        return (self.p, self.p)

    def examples(self) -> Examples:
        import torch

        values = torch.arange(self.p)
        return self._examples(torch.cartesian_prod(values, values))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        return self._examples(torch.randint(self.p, (n, 2), generator=generator))

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The pair with one operand changed."""
        return self._examples(change_one(clean.tokens[:, :2], self.p, generator))

    def split(self, seed: int) -> Split:
        return Split(self.frac_train, seed)

    def _examples(self, operands: Int[Tensor, "example 2"]) -> Examples:
        import torch

        a, b = operands.unbind(dim=-1)
        answers = {
            "add": a + b,
            "subtract": a - b,
            "multiply": a * b,
            "square-sum": a**2 + b**2,
        }[self.op]
        equals = torch.full_like(a, self.p)
        return Examples(torch.stack([a, b, equals], dim=-1), (answers % self.p)[:, None])
