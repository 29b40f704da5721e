"""The token before each token, without positions: they are to be rederived from the mask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, change_one
from mitool.tasks.lists import TRAINING, ListTask

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@dataclass(frozen=True, config=FROZEN)
class PreviousToken(ListTask):
    """``[BOS, x1, .., xn]`` with the token before each x read at it.

    The preset model has no positional embedding. BOS is the last token.
    """

    length: Annotated[int, Field(ge=2, le=512, description="Tokens behind BOS")] = 9
    max_value: Annotated[int, Field(ge=1, le=65535, description="Tokens are 0 to this number")] = 99

    name: ClassVar[str] = "previous-token"
    summary: ClassVar[str] = "The token before each token, without a positional embedding"
    sources: ClassVar[tuple[str, ...]] = ("The rederive-positions interpretability problem",)
    special: ClassVar[tuple[str, ...]] = ("BOS",)
    copies_operand: ClassVar[bool] = False  # an answer's operand is another one at each position
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=2, n_heads=4, d_model=128, positional="zero"
    )
    training: ClassVar[TrainingSettings] = replace(TRAINING, weight_decay=0.1, betas=(0.9, 0.95))

    @property
    def d_vocab_out(self) -> int:
        return self.d_vocab  # BOS is an answer too

    @property
    def n_ctx(self) -> int:
        return self.length + 1

    @property
    def answer_positions(self) -> tuple[int, ...]:
        return tuple(range(1, self.length + 1))

    def sample(self, n: int, generator: Generator) -> Examples:
        return self._examples(self.draw(n, generator))

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The list with one token changed that another one follows."""
        import torch

        values, last = clean.tokens[:, 1:].split([self.length - 1, 1], dim=-1)
        changed = change_one(values, self.max_value + 1, generator)
        return self._examples(torch.cat([changed, last], dim=-1))

    def _examples(self, values: Int[Tensor, "example length"]) -> Examples:
        import torch

        tokens = torch.cat([self.column("BOS", len(values)), values], dim=-1)
        return Examples(tokens, tokens[:, :-1])
