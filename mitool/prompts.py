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

REQUIRED = ("clean", "corrupted")
TOKENS, WORDS = ("correct_idx", "incorrect_idx"), ("correct", "incorrect")
"""Columns of a file of pairs: those that it must have, and those of the two answers, as tokens or
as they follow the text.
"""

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
        correct: what is right for the clean text, a token or how the text goes on; None if the
            file does not say.
        incorrect: what is right for the corrupted one.
        line: where it stands in the file, for messages.
    """

    clean: str
    corrupted: str
    correct: int | str | None
    incorrect: int | str | None
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
    """Read a CSV file of ``clean,corrupted`` and, with the answers, ``correct_idx,incorrect_idx``
    as tokens or ``correct,incorrect`` as text.

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
            where = f"{path}, line {pair.line}"
            correct, incorrect = (
                _answer(where, pair.clean, answer, encode, d_vocab_out)
                for answer in (pair.correct, pair.incorrect)
            )
            answers.append((correct, incorrect))
    return of_texts(texts, answers if len(answers) == len(pairs) else None)


def _pair(path: Path, line: int, row: dict[str, str | None]) -> PairTexts:
    clean, corrupted = row["clean"], row["corrupted"]
    if clean is None or corrupted is None or None in row:
        raise InputError(f"{path}, line {line}: expected as many fields as the heading has")
    if not clean.strip() or not corrupted.strip():
        raise InputError(f"{path}, line {line}: expected a clean and a corrupted text, found none")
    correct, incorrect = _answers(path, line, row)
    if (correct is None) != (incorrect is None):
        raise InputError(f"{path}, line {line}: expected both answers or neither, found one")
    return PairTexts(clean, corrupted, correct, incorrect, line)


def _answers(
    path: Path, line: int, row: dict[str, str | None]
) -> tuple[int | str | None, int | str | None]:
    """Both answers of a line, from the columns that it has."""
    if not all(name in row for name in TOKENS):
        correct, incorrect = (row.get(name) or None for name in WORDS)
        return correct, incorrect
    texts = [row[name] for name in TOKENS]
    try:
        first, second = (int(text) if text else None for text in texts)
    except ValueError:
        raise InputError(
            f"{path}, line {line}: expected the numbers of tokens as {' and '.join(TOKENS)}, found "
            f"{texts}; text goes into the columns {' and '.join(WORDS)}"
        ) from None
    return first, second


def _answer(
    where: str,
    text: str,
    answer: int | str,
    encode: Callable[[str], Int[Tensor, " pos"]],
    d_vocab_out: int,
) -> int:
    """The token of an answer; of text the one token by which it makes the text longer."""
    token = answer
    if isinstance(token, str):
        before, whole = encode(text), encode(text + token)
        if len(whole) != len(before) + 1 or not torch.equal(whole[:-1], before):
            raise InputError(
                f"{where}: expected an answer that is one token behind the text (a space before a "
                f"word belongs to it), found {answer!r}"
            )
        token = int(whole[-1])
    if not 0 <= token < d_vocab_out:
        raise InputError(
            f"{where}: expected an answer among the model's outputs, 0 to {d_vocab_out - 1}, found "
            f"{answer!r}"
        )
    return token
