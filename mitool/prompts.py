"""What a model is run on: examples of one length, with the answers where they are known."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.errors import InputError
from mitool.tasks import Examples, Task

REQUIRED, ANSWERS = ("clean", "corrupted"), ("correct_idx", "incorrect_idx")
"""Columns of a file of pairs: those that it must have, and those of the two answers' tokens."""

MOST_SHOWN = 120
"""Letters of a file's own text in a message."""


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


@dataclass(frozen=True)
class PairTexts:
    """A line of a file of clean and corrupted texts.

    Attributes:
        correct: the token that is right for the clean text; None if the file does not say.
        incorrect: the token that is right for the corrupted one.
        line: where it stands in the file, for messages.
    """

    clean: str
    corrupted: str
    correct: int | None
    incorrect: int | None
    line: int


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
    groups: dict[int, list[int]] = {}
    for index, tokens in enumerate(texts):
        groups.setdefault(len(tokens), []).append(index)
    prompts = []
    for length, members in sorted(groups.items()):
        tokens = torch.stack([texts[index] for index in members])
        targets = others = None
        if answers is not None:
            known = torch.tensor([answers[index] for index in members])
            targets, others = known[:, :1], known[:, 1:]
        prompts.append(Prompts(tokens, (length - 1,), targets, others))
    return prompts


def read_pairs(path: Path) -> list[PairTexts]:
    """Read a CSV file of ``clean,corrupted[,correct_idx,incorrect_idx]``.

    Raises:
        InputError: it is missing, no such file, or a line of it is damaged.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
            if missing:
                found = ", ".join(map(repr, reader.fieldnames or ())) or "none"
                raise InputError(
                    f"{path}: expected a CSV file, its fields apart by commas, with the columns "
                    f"{' and '.join(REQUIRED)}; found {found[:MOST_SHOWN]}"
                )
            pairs = [_pair(path, reader.line_num, row) for row in reader]
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as failure:
        raise InputError(f"{path}: expected a CSV file in UTF-8; found: {failure}") from None
    if not pairs:
        raise InputError(f"{path}: expected at least one pair, found only the heading")
    return pairs


def encode_pairs(
    path: Path,
    pairs: Sequence[PairTexts],
    encode: Callable[[str], Int[Tensor, " pos"]],
    d_vocab_out: int,
) -> list[Prompts]:
    """The clean texts of pairs, with both answers where the file gives them.

    Raises:
        InputError: an answer is no token of the model, or a text has none.
    """
    texts, answers = [], []
    for pair in pairs:
        texts.append(encode(pair.clean))
        if len(texts[-1]) < 2:
            raise InputError(
                f"{path}, line {pair.line}: expected a clean text of at least two tokens, found "
                f"{len(texts[-1])}"
            )
        if pair.correct is not None and pair.incorrect is not None:
            answers.append((pair.correct, pair.incorrect))
            for name, token in zip(ANSWERS, answers[-1], strict=True):
                if not 0 <= token < d_vocab_out:
                    raise InputError(
                        f"{path}, line {pair.line}: {name}: expected a token of the model, "
                        f"0 <= {name} < {d_vocab_out}, found {token}"
                    )
    return of_texts(texts, answers if len(answers) == len(pairs) else None)


def _pair(path: Path, line: int, row: dict[str, str | None]) -> PairTexts:
    clean, corrupted = row["clean"], row["corrupted"]
    if clean is None or corrupted is None or None in row:
        raise InputError(f"{path}, line {line}: expected as many fields as the heading has")
    if not clean.strip() or not corrupted.strip():
        raise InputError(f"{path}, line {line}: expected a clean and a corrupted text, found none")
    answers = [row.get(name) for name in ANSWERS]
    try:
        correct, incorrect = (None if text in (None, "") else int(text) for text in answers)
    except ValueError:
        raise InputError(
            f"{path}, line {line}: expected the numbers of tokens as {' and '.join(ANSWERS)}, "
            f"found {answers}"
        ) from None
    if (correct is None) != (incorrect is None):
        raise InputError(f"{path}, line {line}: expected both answers or neither, found one")
    return PairTexts(clean, corrupted, correct, incorrect, line)
