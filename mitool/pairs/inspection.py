"""How a model reads each pair of a file, those that it cannot use too."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mitool.core.errors import InputError
from mitool.pairs.files import PairTexts, has_only_years
from mitool.pairs.tokens import (
    Reader,
    answers_of,
    both_of,
    clean_of,
    side_of,
    year_answers,
    years_of,
)


@dataclass(frozen=True)
class PairReading:
    """How a model reads a pair.

    Attributes:
        line: the line of the file that the pair ends on, or the number of its prompt, from 1.
        clean: the tokens of the clean text; empty where the model cannot read it.
        corrupted: those of the corrupted text.
        right: the right answers; empty where there are none, or none that the model can give.
        wrong: the wrong answers.
        refusals: why the pair cannot be used; empty where it can.
    """

    line: int
    clean: tuple[int, ...]
    corrupted: tuple[int, ...]
    right: tuple[int, ...]
    wrong: tuple[int, ...]
    refusals: tuple[str, ...]


def read_by(model: Reader, pairs: Sequence[PairTexts]) -> list[PairReading]:
    """How a model reads the pairs of a file; of one that has only labels of years, the answers are
    the years after each and all others.

    Raises:
        InputError: the answers are years, and the tokenizer has no token for each.
    """
    years = years_of(model, pairs) if has_only_years(pairs) else None
    return [_read_by(model, pair, years) for pair in pairs]


def _read_by(model: Reader, pair: PairTexts, years: Sequence[int] | None) -> PairReading:
    clean: list[int] = []
    corrupted: list[int] = []
    right: list[int] = []
    wrong: list[int] = []
    refusals: dict[str, None] = {}
    with _noted(refusals):
        clean = clean_of(model, pair).tolist()
    with _noted(refusals):
        corrupted = side_of(model, pair, "corrupted").tolist()
    with _noted(refusals):
        both_of(model, pair)
    with _noted(refusals):
        if years is None:
            right, wrong = answers_of(model, pair)
        else:
            right, wrong = year_answers(pair, years, model, clean_of(model, pair))
    return PairReading(
        pair.line, tuple(clean), tuple(corrupted), tuple(right), tuple(wrong), tuple(refusals)
    )


@contextlib.contextmanager
def _noted(refusals: dict[str, None]) -> Iterator[None]:
    """Note why something cannot be read, once, and go on."""
    try:
        yield
    except InputError as error:
        refusals[str(error)] = None
