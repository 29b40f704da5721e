"""The token before each token, without positions: they are to be rederived from the mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, Task

if TYPE_CHECKING:
    from torch import Generator


@dataclass(frozen=True, config=FROZEN)
class PreviousToken(Task):
    """``[BOS, x1, .., xn]`` with the token before each x read at it.

    The preset model has no positional embedding. BOS is the last token.
    """

    length: Annotated[int, Field(ge=1, le=512, description="Tokens behind BOS")] = 9
    max_value: Annotated[int, Field(ge=1, le=65535, description="Tokens are 0 to this number")] = 99

    name: ClassVar[str] = "previous-token"
    summary: ClassVar[str] = "The token before each token, without a positional embedding"
    sources: ClassVar[tuple[str, ...]] = ("The rederive-positions interpretability problem",)
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=2, n_heads=4, d_model=128, positional="zero"
    )
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=4_000,
        lr=1e-3,
        weight_decay=0.1,
        betas=(0.9, 0.95),
        batch_size=256,
        eval_every=50,
    )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.max_value + 1)), "BOS")

    @property
    def d_vocab_out(self) -> int:
        return self.max_value + 2

    @property
    def n_ctx(self) -> int:
        return self.length + 1

    @property
    def answer_positions(self) -> tuple[int, ...]:
        return tuple(range(1, self.length + 1))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        values = torch.randint(self.max_value + 1, (n, self.length), generator=generator)
        tokens = torch.cat([torch.full((n, 1), self.max_value + 1), values], dim=-1)
        return Examples(tokens, tokens[:, :-1])
