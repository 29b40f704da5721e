"""Clean and corrupted prompts of published tasks, made of words that a model's tokenizer knows."""

from collections.abc import Mapping

from torch import Generator

from mitool.core.config import nearest
from mitool.core.device import generator
from mitool.core.errors import InputError, UsageError
from mitool.pairs.files import PairTexts
from mitool.pairs.generated.base import Prompt, PromptSpace, PromptTask
from mitool.pairs.generated.greater_than import GREATER_THAN
from mitool.pairs.generated.ioi import IOI
from mitool.pairs.tokens import Reader

__all__ = ["GENERATED", "Prompt", "PromptSpace", "PromptTask", "generated_pairs"]

GENERATED: Mapping[str, PromptTask] = {task.name: task for task in (GREATER_THAN, IOI)}
"""The tasks whose prompts are made, by name."""


def generated_pairs(name: str, model: Reader, n: int, seed: int) -> list[PairTexts]:
    """Draw pairs of a task of ``GENERATED`` for a model; no two have the same clean text.

    ``mitool.pairs.prompt_pairs.encode_pairs`` takes them, with ``years`` where the task's metric is
    greater-than, for a model whose context is as long as they are. The same seed gives the same
    pairs, and fewer of them are the first of more.

    Args:
        n: how many, at least 1.

    Raises:
        UsageError: there is no such task (the message names the nearest), or ``n`` is below 1.
        InputError: the model's tokenizer leaves fewer prompts than ``n``, or none.
    """
    task = GENERATED.get(name)
    if task is None:
        raise UsageError(f"no generated prompts named {name!r}: {nearest(name, GENERATED)}")
    if n < 1:
        raise UsageError(f"{name}: expected at least one pair, found {n}")
    space = task.space(model)
    if n > space.n_clean:
        raise InputError(
            f"{name}: expected a tokenizer that leaves {n} different prompts, found "
            f"{space.n_clean}; ask for at most as many"
        )
    prompts = _distinct(space, n, generator(seed, "pairs", name))
    return [_numbered(name, number, prompt) for number, prompt in enumerate(prompts, start=1)]


def _distinct(space: PromptSpace, n: int, stream: Generator) -> list[Prompt]:
    """Prompts in the order in which they are drawn, each clean text where it is drawn first."""
    drawn: dict[str, Prompt] = {}
    while len(drawn) < n:
        prompt = space.draw(stream)
        drawn.setdefault(prompt.clean, prompt)
    return list(drawn.values())


def _numbered(name: str, number: int, prompt: Prompt) -> PairTexts:
    return PairTexts(
        prompt.clean,
        prompt.corrupted,
        prompt.correct,
        prompt.incorrect,
        prompt.label,
        line=number,
        where=f"{name}, prompt {number}",
    )
