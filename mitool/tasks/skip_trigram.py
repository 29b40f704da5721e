"""Skip trigrams: what one layer of attention can tell from one earlier token and the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import Examples, Task, change_one
from mitool.tasks.lists import TRAINING

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@dataclass(frozen=True, config=FROZEN)
class SkipTrigram(Task):
    """``[BOS, A, A', .., B]`` with the C that belongs to the one A that B asks for, read at B.

    There are ``groups`` Bs, and for each of them ``size`` trigrams A .. B C with an A and a C of
    their own. One A of B's group stands among As of other groups, each drawn evenly. The Cs come
    first in the vocabulary, then the As in the same order, the Bs, and BOS. The preset settings
    are those of the list tasks.
    """

    groups: Annotated[int, Field(ge=2, le=1024, description="Last tokens B")] = 4
    size: Annotated[int, Field(ge=2, le=1024, description="Trigrams of each B")] = 4
    length: Annotated[int, Field(ge=1, le=512, description="Tokens between BOS and B")] = 8

    name: ClassVar[str] = "skip-trigram"
    summary: ClassVar[str] = "Skip trigrams A .. B C: the C of the one A that B asks for"
    sources: ClassVar[tuple[str, ...]] = (
        "Elhage et al. 2021, A Mathematical Framework for Transformer Circuits",
    )
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=1, n_heads=1, d_model=64, attn_only=True
    )
    training: ClassVar[TrainingSettings] = TRAINING

    @property
    def vocabulary(self) -> tuple[str, ...]:
        trigrams = [f"{b}.{i}" for b in range(self.groups) for i in range(self.size)]
        asking = (f"B{b}" for b in range(self.groups))
        return (*(f"C{t}" for t in trigrams), *(f"A{t}" for t in trigrams), *asking, "BOS")

    @property
    def d_vocab_out(self) -> int:
        return self.groups * self.size

    @property
    def n_ctx(self) -> int:
        return self.length + 2

    @property
    def operand_positions(self) -> tuple[int, ...]:
        return tuple(range(1, self.length + 1))

    def sample(self, n: int, generator: Generator) -> Examples:
        import torch

        group = torch.randint(self.groups, (n, 1), generator=generator)
        steps = torch.randint(1, self.groups, (n, self.length), generator=generator)
        member = torch.randint(self.size, (n, self.length), generator=generator)
        place = torch.randint(self.length, (n, 1), generator=generator)
        groups = ((group + steps) % self.groups).scatter(-1, place, group)
        return self._examples(groups, member, place, group)

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """The sequence with another A of the same B."""
        trigrams = clean.tokens[:, 1:-1] - self.d_vocab_out
        groups, member = trigrams // self.size, trigrams % self.size
        group = clean.tokens[:, -1:] - 2 * self.d_vocab_out
        place = (groups == group).int().argmax(dim=-1, keepdim=True)
        other = change_one(member.gather(-1, place), self.size, generator)
        return self._examples(groups, member.scatter(-1, place, other), place, group)

    def _examples(
        self,
        groups: Int[Tensor, "example place"],
        member: Int[Tensor, "example place"],
        place: Int[Tensor, "example 1"],
        group: Int[Tensor, "example 1"],
    ) -> Examples:
        import torch

        trigrams = groups * self.size + member
        bos = torch.full_like(group, self.d_vocab - 1)
        asking = 2 * self.d_vocab_out + group
        tokens = torch.cat([bos, self.d_vocab_out + trigrams, asking], dim=-1)
        return Examples(tokens, trigrams.gather(-1, place))
