"""What a model is run on: examples of one length, with the answers where they are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.tasks import Examples, Task


@dataclass(frozen=True)
class Prompts:
    """Inputs of one length.

    Attributes:
        tokens: what the model reads.
        answer_positions: where its answers are read.
        targets: the right answers, or ``NO_ANSWER``; None where they are not known.
        others: the wrong answers to compare them with; None where that is all others.
    """

    tokens: Int[Tensor, "example pos"]
    answer_positions: tuple[int, ...]
    targets: Int[Tensor, "example answer"] | None = None
    others: Int[Tensor, "example answer"] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, chosen: slice | Int[Tensor, " chosen"]) -> "Prompts":
        targets = None if self.targets is None else self.targets[chosen]
        others = None if self.others is None else self.others[chosen]
        return Prompts(self.tokens[chosen], self.answer_positions, targets, others)


def of_examples(examples: Examples, task: Task) -> Prompts:
    """A task's examples."""
    return Prompts(examples.tokens, task.answer_positions, examples.targets)


def examples_of(prompts: Prompts) -> Examples:
    """The task's examples that prompts were made of."""
    assert prompts.targets is not None, "a task's examples come with answers"
    return Examples(prompts.tokens, prompts.targets)


def of_texts(
    texts: Sequence[Int[Tensor, " pos"]], answers: Sequence[tuple[int, int]] | None = None
) -> list[Prompts]:
    """Tokens of texts, answered at their last one, in groups of one length.

    Args:
        answers: the right and the wrong token for each.
    """
    prompts = []
    for members in of_one_length(texts):
        tokens = torch.stack([texts[index] for index in members])
        targets = others = None
        if answers is not None:
            known = torch.tensor([answers[index] for index in members])
            targets, others = known[:, :1], known[:, 1:]
        prompts.append(Prompts(tokens, (tokens.shape[1] - 1,), targets, others))
    return prompts


def of_one_length(texts: Sequence[Int[Tensor, " pos"]]) -> list[list[int]]:
    """The indices of texts, in groups of one length, the shortest first."""
    groups: dict[int, list[int]] = {}
    for index, tokens in enumerate(texts):
        groups.setdefault(len(tokens), []).append(index)
    return [members for _, members in sorted(groups.items())]
