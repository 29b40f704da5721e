"""Repeated subsequences: the task on which induction heads form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.core.errors import UsageError
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.base import NO_ANSWER, Examples, Pairs, Split, Task

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor

LIST_SEED = 0
"""Of the sequences of a finite list, which are the same in every run."""

MOST_DRAWS = 100
"""Times that as many sequences are drawn, until so many of them differ."""


@dataclass(frozen=True, config=FROZEN)
class Induction(Task):
    """``[BOS, x1, .., xn]``: random tokens, among which a subsequence stands several times.

    Its length is drawn evenly for each sequence, and where it stands is drawn evenly too; it does
    not overlap itself, and its tokens differ from each other. From the second time on each of its
    tokens but the first can be told from what came before, and is read at the token before it.
    BOS is the last token.

    In the source it always has 16 tokens (``--shortest 16``). Then it stands at least 16 tokens
    apart, and a model may learn to match by the tokens 16 and 15 back, which also predicts
    repetitions without a gap at once, instead of by the token before: that shortcut is what drawn
    lengths take away. The learning rate and weight decay of the source, 1e-3 and 1, are replaced
    by 3e-3 and 0.1: they leave the loss at 4.4 after its 6 000 steps.

    A stream of fresh sequences, or with ``--sequences`` a list that is divided.
    """

    length: Annotated[int, Field(ge=4, le=4096, description="Tokens behind BOS")] = 84
    max_value: Annotated[int, Field(ge=3, le=65535, description="Tokens are 0 to this number")] = (
        126
    )
    subsequence: Annotated[int, Field(ge=2, le=1024, description="Its greatest length")] = 16
    shortest: Annotated[int, Field(ge=2, le=1024, description="Its least length")] = 2
    times: Annotated[int, Field(ge=2, le=64, description="Times that it stands there")] = 3
    sequences: Annotated[
        int | None,
        Field(ge=2, le=1_000_000, description="Sequences of a finite list; left out: a stream"),
    ] = None
    frac_train: Annotated[
        float, Field(gt=0, lt=1, description="Share of a finite list that trains")
    ] = 0.5

    name: ClassVar[str] = "induction"
    summary: ClassVar[str] = "A subsequence that is repeated among random tokens"
    sources: ClassVar[tuple[str, ...]] = (
        "Nanda et al. 2023, arXiv 2301.05217 (non-modular tasks)",
        "Olsson et al. 2022, arXiv 2209.11895",
    )
    outputs_are_tokens: ClassVar[bool] = True
    model: ClassVar[ModelSettings] = ModelSettings(
        n_layers=2, n_heads=4, d_model=48, d_head=12, attn_only=True
    )
    training: ClassVar[TrainingSettings] = TrainingSettings(
        epochs=3_000,
        lr=3e-3,
        weight_decay=0.1,
        betas=(0.9, 0.98),
        batch_size=128,
        eval_every=50,
        eval_size=512,
    )

    @model_validator(mode="after")
    def _check_room(self) -> Induction:
        if self.subsequence * self.times > self.length:
            raise ValueError(
                f"length: expected at least subsequence * times = {self.subsequence * self.times}, "
                f"found {self.length}"
            )
        if self.shortest > self.subsequence:
            raise ValueError(
                f"shortest: expected at most subsequence = {self.subsequence}, found "
                f"{self.shortest}"
            )
        if self.subsequence > self.max_value:
            raise ValueError(
                f"subsequence: expected at most max_value = {self.max_value}, so that its tokens "
                f"can differ, found {self.subsequence}"
            )
        return self

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.max_value + 1)), "BOS")

    @property
    def d_vocab_out(self) -> int:
        return self.max_value + 1

    @property
    def n_ctx(self) -> int:
        return self.length + 1

    @property
    def answer_positions(self) -> tuple[int, ...]:
        """From the first token of the earliest second time on."""
        return tuple(range(self.shortest + 1, self.length))

    @property
    def answer_labels(self) -> tuple[str, ...]:
        return tuple(f"position {position}" for position in self.answer_positions)

    @property
    def n_examples(self) -> int | None:
        return self.sequences

    def examples(self) -> Examples:
        import torch

        if self.sequences is None:
            return super().examples()
        n, drawn = self.sequences, torch.Generator().manual_seed(LIST_SEED)
        found = self.sample(n, drawn)
        for _ in range(MOST_DRAWS):
            # the first of those that are the same: none is to train and to be tested on
            first: dict[bytes, int] = {}
            for row, tokens in enumerate(found.tokens):
                first.setdefault(tokens.numpy().tobytes(), row)
            found = found[torch.tensor(list(first.values())[:n])]
            if len(found) == n:
                return found
            more = self.sample(n, drawn)
            tokens, targets = (
                torch.cat([getattr(part, name) for part in (found, more)])
                for name in ("tokens", "targets")
            )
            found = Examples(tokens, targets)
        raise UsageError(
            f"sequences: expected no more than there are different ones of length {self.length}, "
            f"found {n}, of which {len(first)} were drawn; ask for fewer, or for longer ones"
        )

    def sample(self, n: int, generator: Generator) -> Examples:
        values, order, lengths, starts = self._draw(n, generator)
        return self._examples(values, order[:, : self.subsequence], lengths, starts)

    def split(self, seed: int) -> Split | None:
        return None if self.sequences is None else Split(self.frac_train, seed)

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """Sequences beside the same ones with a token of the subsequence, not its first, changed
        each time to one that is not in it.
        """
        import torch

        values, order, lengths, starts = self._draw(n, generator)
        subsequence, other = order[:, : self.subsequence], order[:, self.subsequence, None]
        share = torch.rand(n, 1, generator=generator, dtype=torch.float64)
        offset = 1 + (share * (lengths - 1)).long()
        changed = subsequence.scatter(-1, offset, other)
        return Pairs(
            self._examples(values, subsequence, lengths, starts),
            self._examples(values, changed, lengths, starts),
        )

    def _draw(
        self, n: int, generator: Generator
    ) -> tuple[
        Int[Tensor, "example length"],
        Int[Tensor, "example value"],
        Int[Tensor, "example 1"],
        Int[Tensor, "example time"],
    ]:
        """Random tokens, all values in a random order, and how long the subsequence is and where
        it stands.
        """
        import torch

        values = torch.randint(self.d_vocab_out, (n, self.length), generator=generator)
        order = torch.rand(n, self.d_vocab_out, generator=generator).argsort(dim=-1)
        least, most = self.shortest, self.subsequence
        lengths = torch.randint(least, most + 1, (n, 1), generator=generator)
        return values, order, lengths, self._starts(lengths, generator)

    def _starts(
        self, lengths: Int[Tensor, "example 1"], generator: Generator
    ) -> Int[Tensor, "example time"]:
        """Where the subsequence stands each time, evenly among the ways that it can.

        Take each time as one item among the tokens that are left: their order decides.
        """
        import torch

        n_items = self.length - self.times * (lengths - 1)
        keys = torch.rand(len(lengths), self.length, generator=generator)
        keys = keys.masked_fill(torch.arange(self.length) >= n_items, torch.inf)
        chosen = keys.argsort(dim=-1)[:, : self.times].sort(dim=-1).values
        return chosen + torch.arange(self.times) * (lengths - 1)

    def _examples(
        self,
        values: Int[Tensor, "example length"],
        subsequence: Int[Tensor, "example offset"],
        lengths: Int[Tensor, "example 1"],
        starts: Int[Tensor, "example time"],
    ) -> Examples:
        import torch

        n, offsets = len(values), torch.arange(self.subsequence)
        # what is beyond the subsequence's end goes to a place behind all others
        places = starts[:, :, None] + offsets
        places = places.masked_fill((offsets >= lengths)[:, None], self.length)
        values = torch.cat([values, values[:, :1]], dim=-1)
        values = values.scatter(-1, places.flatten(1), subsequence.repeat(1, self.times))
        targets = torch.full((n, self.length + 1), NO_ANSWER)
        # a token at place i is at position i + 1, and is read at position i
        told = places[:, 1:, 1:].flatten(1)
        targets.scatter_(-1, told, values.gather(-1, told))
        bos = torch.full((n, 1), self.max_value + 1)
        tokens = torch.cat([bos, values[:, :-1]], dim=-1)
        return Examples(tokens, targets[:, list(self.answer_positions)])
