"""What a task is: what a model learns, and what a study of the model needs to know of it.

This module and the tasks' own load torch only when data is made, so that listing tasks and
completing their options stays instant.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass as plain_dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.core.errors import UsageError
from mitool.settings import ModelSettings, Shuffle, TrainingSettings

if TYPE_CHECKING:
    import torch
    from jaxtyping import Bool, Float, Int
    from torch import Generator, Tensor

NO_ANSWER = -1
"""The target where an example has no answer at one of the task's answer positions."""


@plain_dataclass(frozen=True)
class Examples:
    """Examples of a task.

    Attributes:
        tokens: what the model reads.
        targets: the right token at each of the task's answer positions, or ``NO_ANSWER``.
    """

    tokens: Int[Tensor, "example pos"]
    targets: Int[Tensor, "example answer"]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, chosen: slice | Int[Tensor, " chosen"]) -> Examples:
        return Examples(self.tokens[chosen], self.targets[chosen])

    def to(self, device: torch.device) -> Examples:
        """The same on a device."""
        return Examples(self.tokens.to(device), self.targets.to(device))


@plain_dataclass(frozen=True)
class Pairs:
    """Clean and corrupted examples of equal length, side by side, for interventions."""

    clean: Examples
    corrupted: Examples

    def __getitem__(self, chosen: slice | Int[Tensor, " chosen"]) -> Pairs:
        return Pairs(self.clean[chosen], self.corrupted[chosen])

    def to(self, device: torch.device) -> Pairs:
        """The same on a device."""
        return Pairs(self.clean.to(device), self.corrupted.to(device))

    @property
    def differ(self) -> Bool[Tensor, "pair answer"]:
        """The answer positions at which both have an answer, and not the same one."""
        clean, corrupted = self.clean.targets, self.corrupted.targets
        return (clean != corrupted) & (clean != NO_ANSWER) & (corrupted != NO_ANSWER)


@dataclass(frozen=True, config=FROZEN)
class Split:
    """Which examples train: the first ``frac_train`` of a shuffle seeded by ``seed``.

    The shuffle ``torch`` is ``torch.manual_seed(seed); torch.randperm(n)``, as in
    TransformerLens's grokking demo and the min-of-two-ints problem; ``python`` is
    ``random.seed(seed); random.shuffle(examples)``, as in the original grokking notebook.

    As a dictionary it is the ``split`` of a checkpoint's metadata.
    """

    frac_train: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=-(2**63), lt=2**64)]  # what torch's generators take
    method: Shuffle = "torch"

    def indices(self, n_examples: int) -> tuple[Int[Tensor, " train"], Int[Tensor, " test"]]:
        """Indices of the training and of the test examples.

        Raises:
            UsageError: one of the two would be empty.
        """
        n_train = int(n_examples * self.frac_train)
        if not 0 < n_train < n_examples:
            raise UsageError(
                f"frac_train: expected at least 1 of the {n_examples} examples on either side, "
                f"so {1 / n_examples:z.3g} <= frac_train < 1, found {self.frac_train}"
            )
        order = self._order(n_examples)
        return order[:n_train], order[n_train:]

    def _order(self, n_examples: int) -> Int[Tensor, " example"]:
        import torch

        if self.method == "python":
            order = list(range(n_examples))
            random.Random(self.seed).shuffle(order)
            return torch.tensor(order)
        return torch.randperm(n_examples, generator=torch.Generator().manual_seed(self.seed))


@dataclass(frozen=True, config=FROZEN)
class Task(ABC):
    """A family of problems; its fields are its parameters and become its command's options.

    A subclass is one file: a frozen pydantic dataclass whose fields carry a description and
    bounds (``Annotated[int, Field(ge=2, description="Modulus")]``), and the members below. It
    has a finite set of ``examples`` or is a stream to ``sample`` from.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    sources: ClassVar[tuple[str, ...]]
    """Where the task and its preset settings were published."""

    model: ClassVar[ModelSettings]
    """The published model, the default of the model's options."""

    training: ClassVar[TrainingSettings]
    """The published training, the default of the training options."""

    metric_name: ClassVar[str] = "logit difference"
    """What ``metric`` measures."""

    copies_operand: ClassVar[bool] = False
    """Whether every answer is one of the tokens at ``operand_positions``."""

    outputs_are_tokens: ClassVar[bool] = False
    """Whether output i stands for what token i stands for where it is read, so that a head can copy
    it; not where outputs are positions, or classes, or tokens that no example reads.
    """

    @property
    @abstractmethod
    def vocabulary(self) -> tuple[str, ...]:
        """A label for each input token; their number is ``d_vocab``."""

    @property
    @abstractmethod
    def d_vocab_out(self) -> int:
        """How many tokens can be an answer: outputs are the first of the vocabulary."""

    @property
    @abstractmethod
    def n_ctx(self) -> int:
        """The length of every example."""

    @property
    def d_vocab(self) -> int:
        return len(self.vocabulary)

    @property
    def answer_positions(self) -> tuple[int, ...]:
        """The positions at which answers are read."""
        return (self.n_ctx - 1,)

    @property
    def answer_labels(self) -> tuple[str, ...]:
        """What each answer is, for a reader."""
        return tuple(f"answer {index}" for index in range(len(self.answer_positions)))

    @property
    def operand_positions(self) -> tuple[int, ...]:
        """The positions of the numbers that the answers are made of; empty where they are not
        the same in every example.
        """
        return ()

    @property
    def n_examples(self) -> int | None:
        """How many examples there are in all, or None for a stream."""
        return None

    @property
    def grid_shape(self) -> tuple[int, int] | None:
        """(values of a, values of b) where ``examples`` lists all operand pairs row by row."""
        return None

    def examples(self) -> Examples:
        """All examples, in a fixed order, on the CPU; only for a task with ``n_examples``."""
        raise UsageError(f"task {self.name} is a stream: it has samples, not a list of examples")

    @abstractmethod
    def sample(self, n: int, generator: Generator) -> Examples:
        """Draw ``n`` independent examples."""

    def split(self, seed: int) -> Split | None:
        """How examples are divided into training and test; None for a stream."""
        return None

    def is_right(
        self, answers: Int[Tensor, "example answer"], examples: Examples
    ) -> Bool[Tensor, "example answer"]:
        """Which answers are right; a task where several would be says so here."""
        return answers == examples.targets

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """Draw ``n`` pairs of examples with different answers.

        Raises:
            UsageError: the task's examples all have the same answer.
        """
        clean = self.sample(n, generator)
        pairs = Pairs(clean, self.corrupt(clean, generator))
        for _ in range(1000):
            same = (~pairs.differ.any(dim=-1)).nonzero()[:, 0]
            if not len(same):
                return pairs
            redrawn = self.sample(len(same), generator)
            _put(redrawn, pairs.clean, same)
            _put(self.corrupt(redrawn, generator), pairs.corrupted, same)
        raise UsageError(f"task {self.name}: no two examples with different answers were found")

    def corrupt(self, clean: Examples, generator: Generator) -> Examples:
        """A counterpart of each example, for ``pairs``: another example as a whole.

        A task overrides this with the smallest change that moves an answer.
        """
        return self.sample(len(clean), generator)

    def metric(
        self, logits: Float[Tensor, "pair answer d_vocab_out"], pairs: Pairs
    ) -> Float[Tensor, " pair"]:
        """How far the logits lean to the clean example's answers, in the unit of ``metric_name``.

        The difference between the logits of the clean and of the corrupted answer, averaged over
        the positions at which the two differ: positive for clean input, negative for corrupted.
        """
        differ = pairs.differ
        clean, corrupted = (
            logits.gather(-1, side.targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
            for side in (pairs.clean, pairs.corrupted)
        )
        difference = (clean - corrupted).masked_fill(~differ, 0.0)
        return difference.sum(dim=-1) / differ.sum(dim=-1)


def change_one(
    values: Int[Tensor, "example place"], n_values: int, generator: Generator
) -> Int[Tensor, "example place"]:
    """``values`` with one of each row replaced by another of 0, .., n_values - 1."""
    import torch

    n, n_places = values.shape
    place = torch.randint(n_places, (n, 1), generator=generator)
    step = torch.randint(1, n_values, (n, 1), generator=generator)
    return values.scatter(-1, place, (values.gather(-1, place) + step) % n_values)


def _put(source: Examples, into: Examples, rows: Int[Tensor, " row"]) -> None:
    into.tokens[rows], into.targets[rows] = source.tokens, source.targets
