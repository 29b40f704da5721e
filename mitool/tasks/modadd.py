"""Modular arithmetic: the task on which grokking was found and reverse-engineered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.operation import Operation

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor


@dataclass(frozen=True, config=FROZEN)
class ModAdd(Operation):
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
    def n_values(self) -> int:
        return self.p

    def result(
        self, a: Int[Tensor, " example"], b: Int[Tensor, " example"]
    ) -> Int[Tensor, " example"]:
        results = {
            "add": a + b,
            "subtract": a - b,
            "multiply": a * b,
            "square-sum": a**2 + b**2,
        }
        return results[self.op] % self.p
