"""Boolean gates, bit by bit: the smallest tasks that attention alone cannot do."""

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
class Gate(Operation):
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
        return 2**self.bits

    def result(
        self, a: Int[Tensor, " example"], b: Int[Tensor, " example"]
    ) -> Int[Tensor, " example"]:
        return {"and": a & b, "or": a | b, "xor": a ^ b}[self.op]
