"""What a task is: what a model learns, and what a study of the model needs to know of it.

This module and the tasks' own load torch only when data is made, so that listing tasks and
completing their options stays instant.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass as plain_dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic.dataclasses import dataclass

from mitool.config import FROZEN
from mitool.errors import UsageError
from mitool.settings import ModelSettings, TrainingSettings

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Generator, Tensor


@plain_dataclass(frozen=True)
class Examples:
    """Examples of a task.

    Attributes:
        tokens: what the model reads.
        targets: the right token at each of the task's answer positions.
    """

    tokens: Int[Tensor, "example pos"]
    targets: Int[Tensor, "example answer"]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, chosen: Int[Tensor, " chosen"]) -> Examples:
        return Examples(self.tokens[chosen], self.targets[chosen])


@plain_dataclass(frozen=True)
class Pairs:
    """Clean and corrupted examples of equal length, side by side, for interventions."""

    clean: Examples
    corrupted: Examples


Shuffle = Literal["torch", "python"]


@dataclass(frozen=True, config=FROZEN)
class Split:
    """Which examples train: the first ``frac_train`` of a shuffle seeded by ``seed``.

    The shuffle ``torch`` is ``torch.manual_seed(seed); torch.randperm(n)``, as in
    TransformerLens's grokking demo and the min-of-two-ints problem; ``python`` is
    ``random.seed(seed); random.shuffle(examples)``, as in the original grokking notebook.

    As a dictionary it is the ``split`` of a checkpoint's metadata.
    """

    frac_train: float
    seed: int
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
                f"so {1 / n_examples:.3g} <= frac_train < 1, found {self.frac_train}"
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

    def pairs(self, n: int, generator: Generator) -> Pairs:
        """Draw ``n`` pairs of examples with different answers.

        A task overrides this where a smaller change than another whole example will do.

        Raises:
            UsageError: the task's examples all have the same answer.
        """
        clean, corrupted = self.sample(n, generator), self.sample(n, generator)
        tokens, targets = corrupted.tokens.clone(), corrupted.targets.clone()
        for _ in range(1000):
            same = (targets == clean.targets).all(dim=-1).nonzero()[:, 0]
            if not len(same):
                return Pairs(clean, Examples(tokens, targets))
            redrawn = self.sample(len(same), generator)
            tokens[same], targets[same] = redrawn.tokens, redrawn.targets
        raise UsageError(f"task {self.name}: no two examples with different answers were found")
