"""The parity of some bits: an example of a task that a package adds to mitool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool import FROZEN, Examples, ModelSettings, Split, Task, TrainingSettings

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@dataclass(frozen=True, config=FROZEN)
class Parity(Task):
    """``[bit, .., bit, =]`` with the parity of the bits read at ``=`` (token 2)."""

    n_bits: Annotated[int, Field(ge=2, le=16, description="Number of bits")] = 8
    frac_train: Annotated[float, Field(gt=0, lt=1, description="Share that trains")] = 0.5

    name: ClassVar[str] = "parity"
    summary: ClassVar[str] = "The parity of n bits"
    sources: ClassVar[tuple[str, ...]] = ("an example of mitool's",)
    outputs_are_tokens: ClassVar[bool] = True  # the parities 0 and 1 are bits
    model: ClassVar[ModelSettings] = ModelSettings(d_model=32)
    training: ClassVar[TrainingSettings] = TrainingSettings(epochs=2_000)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return ("0", "1", "=")

    @property
    def d_vocab_out(self) -> int:
        return 2

    @property
    def n_ctx(self) -> int:
        return self.n_bits + 1

    @property
    def n_examples(self) -> int:
        return 2**self.n_bits

    def examples(self) -> Examples:
        import torch

        return self._examples(torch.cartesian_prod(*[torch.arange(2)] * self.n_bits))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        return self._examples(torch.randint(2, (n, self.n_bits), generator=generator))

    def split(self, seed: int) -> Split:
        return Split(self.frac_train, seed)

    def _examples(self, bits: Int[Tensor, "example bit"]) -> Examples:
        import torch

        equals = torch.full_like(bits[:, :1], 2)
        return Examples(torch.cat([bits, equals], dim=1), bits.sum(dim=1, keepdim=True) % 2)
