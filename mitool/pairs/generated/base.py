"""What a task of generated prompts is, and what its prompts are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator

from mitool.pairs.tokens import Reader, continuation
from mitool.settings import MetricName

BEFORE = "The"
"""A text before a word, which is to be one token in the middle of a sentence."""

REMEDY = "choose a model with such a tokenizer, as gpt2 has, or give pairs of your own as a file"


@dataclass(frozen=True)
class Prompt:
    """A clean text and its corrupted counterpart, as ``mitool.pairs.files.PairTexts`` has them.

    Attributes:
        correct: the answer that is right for the clean text, if one is.
        incorrect: the one to compare it with.
        label: the two-digit year that the clean text starts from, if answers are years.
    """

    clean: str
    corrupted: str
    correct: tuple[str, ...] = ()
    incorrect: tuple[str, ...] = ()
    label: int | None = None


class PromptSpace(Protocol):
    """All prompts of a task that a model's tokenizer reads as the task asks for."""

    @property
    def n_clean(self) -> int:
        """The number of different clean texts."""
        ...

    def draw(self, generator: Generator) -> Prompt:
        """One of them at random."""
        ...


@dataclass(frozen=True)
class PromptTask:
    """A published task whose prompts are made of words that a tokenizer knows.

    Attributes:
        name: what it is asked for by.
        summary: what the model is to do, in one line.
        source: the paper.
        metric: the measure of the answer by which its prompts are judged.
        space: its prompts for a model; raises ``InputError`` where the tokenizer leaves none.
    """

    name: str
    summary: str
    source: str
    metric: MetricName
    space: Callable[[Reader], PromptSpace]


def one_token_words(model: Reader, where: str, words: Sequence[str]) -> tuple[str, ...]:
    """Those of the words that are one token inside a sentence, with the space before them.

    A tokenizer that puts one token in place of all words that it does not know leaves none of
    those: the token is to be spelled as the word is.

    Raises:
        InputError: the model's tokenizer refuses texts of words.
    """
    return tuple(word for word in words if _is_one_token(model, where, word))


def spells(model: Reader, token: int, word: str) -> bool:
    """Whether a token is the word, whatever stands for the space before it."""
    return model.label(token).casefold().endswith(word.casefold())


def choose(generator: Generator, n: int) -> int:
    """A number below ``n``, each as likely."""
    return int(torch.randint(n, (), generator=generator))


def _is_one_token(model: Reader, where: str, word: str) -> bool:
    tokens = continuation(model, where, BEFORE, f" {word}")
    return tokens is not None and len(tokens) == 1 and spells(model, int(tokens[0]), word)
