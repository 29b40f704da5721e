"""Examples as a reader sees them."""

import torch

from mitool.tasks import NO_ANSWER, Examples, Task


def rows(task: Task, n: int = 200) -> list[tuple[list[str], list[str]]]:
    """Samples as the labels of their tokens, and of their answers."""
    return labelled(task, task.sample(n, torch.Generator().manual_seed(0)))


def labelled(task: Task, examples: Examples) -> list[tuple[list[str], list[str]]]:
    """Examples as the labels of their tokens, and of their answers; "" where there is none."""

    def labels(tokens: list[int]) -> list[str]:
        return ["" if token == NO_ANSWER else task.vocabulary[token] for token in tokens]

    pairs = zip(examples.tokens.tolist(), examples.targets.tolist(), strict=True)
    return [(labels(tokens), labels(targets)) for tokens, targets in pairs]
