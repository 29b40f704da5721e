"""The greater-than task on a toy's scale: a span of years that must end after it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, Pairs, Task

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Generator, Tensor

CENTURIES = range(11, 18)
YEARS = range(2, 99)
"""The paper's: XX is 11 to 17, and YY 02 to 98."""

CORRUPTED_YEAR = 1


@dataclass(frozen=True, config=FROZEN)
class GreaterThan(Task):
    """``[noun, XX, YY, XX]``, in short "The noun lasted from the year XXYY to the year XX", with
    a year after YY read at the last token.

    In training the year is drawn evenly from all after YY, so that the loss does not fall below
    the mean logarithm of their number (3.608 nats); an answer is right where it is any of them.
    The two-digit numbers 00 to 99 come first in the vocabulary.
    """

    nouns: Annotated[int, Field(ge=1, le=10_000, description="Number of nouns")] = 20

    name: ClassVar[str] = "greater-than"
    summary: ClassVar[str] = "A span of years must end after it starts: any year > YY"
    sources: ClassVar[tuple[str, ...]] = ("Hanna et al. 2023, arXiv 2305.00586",)
    metric_name: ClassVar[str] = "probability difference"
    outputs_are_tokens: ClassVar[bool] = True
    model: ClassVar[ModelSettings] = ModelSettings(n_layers=1, n_heads=4, d_model=128)
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=2_000,
        lr=1e-3,
        weight_decay=0.01,
        betas=(0.9, 0.98),
        batch_size=256,
        eval_every=25,
    )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        years = (f"{year:02d}" for year in range(100))
        return (*years, *(f"noun{noun}" for noun in range(self.nouns)))

    @property
    def d_vocab_out(self) -> int:
        return 100

    @property
    def n_ctx(self) -> int:
        return 4

    @property
    def operand_positions(self) -> tuple[int, ...]:
        return (2,)

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        def draw(low: int, high: int) -> Int[Tensor, "example 1"]:
            return torch.randint(low, high, (n, 1), generator=generator)

        noun = draw(100, 100 + self.nouns)
        century = draw(CENTURIES.start, CENTURIES.stop)
        year = draw(YEARS.start, YEARS.stop)
        tokens = torch.cat([noun, century, year, century], dim=-1)
        return Examples(tokens, _any_after(year, generator))

    def is_right(
        self, answers: Int[Tensor, "example answer"], examples: Examples
    ) -> Bool[Tensor, "example answer"]:
        return answers > examples.tokens[:, 2:3]

    def pairs(self, n: int, generator: Generator) -> Pairs:
        clean = self.sample(n, generator)
        return Pairs(clean, self.corrupt(clean, generator))

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The span that starts in the year 01 of its century, as in the paper."""
        tokens = clean.tokens.clone()
        tokens[:, 2] = CORRUPTED_YEAR
        return Examples(tokens, _any_after(tokens[:, 2:3], generator))

    def metric(
        self, logits: Float[Tensor, "pair answer d_vocab_out"], pairs: Pairs
    ) -> Float[Tensor, " pair"]:
        """P(years > YY) - P(years <= YY), for the clean example's YY."""
        import torch

        years = torch.arange(self.d_vocab_out, device=logits.device)
        is_after = years > pairs.clean.tokens[:, 2:3].to(logits.device)
        signs = 2 * is_after.to(logits.dtype) - 1
        return (logits[:, 0].softmax(dim=-1) * signs).sum(dim=-1)


def _any_after(year: Int[Tensor, "example 1"], generator: Generator) -> Int[Tensor, "example 1"]:
    """A year drawn evenly from all after ``year``, up to 99."""
    import torch

    share = torch.rand(year.shape, generator=generator, dtype=torch.float64)
    return year + 1 + (share * (99 - year)).long()
