"""What a pair of a file is to a model: its tokens and those of its answers, checked."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.core.errors import InputError, UsageError
from mitool.models.shape import ModelShape
from mitool.pairs.files import MOST_SHOWN, PairTexts

YEARS = tuple(f"{year:02d}" for year in range(100))

AROUND, LONGEST = 8, 20
"""Tokens that a message shows on either side of one, and letters of each."""


class Reader(Protocol):
    """What is asked of a model here; ``Subject`` and ``Pretrained`` are such.

    Its ``unk`` is the token of all words that it does not know, if it has one.
    """

    separator: ClassVar[str]

    @property
    def unk(self) -> int | None: ...

    @property
    def shape(self) -> ModelShape: ...

    def encode(self, text: str) -> Int[Tensor, " pos"]: ...

    def label(self, token: int) -> str: ...


def clean_of(model: Reader, pair: PairTexts) -> Int[Tensor, " pos"]:
    """The tokens of a pair's clean input.

    Raises:
        InputError: they are none of the model's, too many for it, or fewer than two.
    """
    return side_of(model, pair, "clean")


def side_of(model: Reader, pair: PairTexts, side: str) -> Int[Tensor, " pos"]:
    """The tokens of a pair's ``clean`` or of its ``corrupted`` input; errors are those of
    ``clean_of``.
    """
    return _input(model, pair.where, side, getattr(pair, side))


def both_of(model: Reader, pair: PairTexts) -> tuple[Int[Tensor, " pos"], Int[Tensor, " pos"]]:
    """The tokens of a pair's clean and of its corrupted input, which are as many.

    Raises:
        InputError: they are not as many, or the same, or one of them ``clean_of`` would refuse.
    """
    clean = clean_of(model, pair)
    corrupted = side_of(model, pair, "corrupted")
    if len(clean) != len(corrupted):
        n = min(len(clean), len(corrupted))
        differ = (clean[:n] != corrupted[:n]).nonzero()
        part = int(differ[0]) if len(differ) else n
        raise InputError(
            f"{pair.where}: expected a clean and a corrupted text of as many tokens, found "
            f"{len(clean)} and {len(corrupted)}, which part at position {part} (the first is 0): "
            f"`{_shown(model, clean, part)}` and `{_shown(model, corrupted, part)}`; exchange "
            "words for others of as many tokens"
        )
    if torch.equal(clean, corrupted):
        raise InputError(
            f"{pair.where}: expected a corrupted text whose tokens differ from the clean one's, "
            f"found `{_shown(model, clean, AROUND)}` for both"
        )
    return clean, corrupted


def answers_of(model: Reader, pair: PairTexts) -> tuple[list[int], list[int]]:
    """The right and the wrong tokens after a pair's clean text, each once; none where the file
    gives none.

    Raises:
        InputError: one is no single token there, unknown to the tokenizer, none of the model's
            outputs, both right and wrong, or another than the file says elsewhere.
    """
    right, wrong = (
        list(dict.fromkeys(_answer(model, pair, answer) for answer in answers))
        for answers in (pair.correct, pair.incorrect)
    )
    for tokens, again in zip((right, wrong), pair.again, strict=True):
        _require_same(model, pair, tokens, again)
    if both := set(right) & set(wrong):
        token = min(both)
        raise InputError(
            f"{pair.where}: expected answers that are either right or wrong, found token {token} "
            f"(`{model.label(token)}`) as both"
        )
    return right, wrong


def years_of(model: Reader, pairs: Sequence[PairTexts]) -> list[int]:
    """The tokens of the years 00 to 99, as they stand after the first of the clean texts.

    Raises:
        InputError: a pair has no label, or the tokenizer has no token for each year.
    """
    for pair in pairs:
        if pair.label is None:
            raise InputError(
                f"{pair.where}: expected a label from 0 to 99, the two digits of the year that "
                "the clean text starts from, found none"
            )
    first = pairs[0]
    tokens = {}
    for year in YEARS:
        after = after_text(model, first, year)
        if after is None or len(after) != 1:
            found = "no more" if after is None else f"`{_shown(model, after, 0)}`"
            raise InputError(
                f"{first.where}: expected a tokenizer to which each of the years 00 to 99 is one "
                f"token after the text, found {found} for {year}: it splits years, and its model "
                "cannot be asked for those after one"
            )
        tokens[_output(model, first, int(after[0]), year)] = year
    if len(tokens) != len(YEARS):
        raise InputError(
            f"{first.where}: expected a tokenizer with a token of its own for each of the years 00 "
            f"to 99 after the text, found {len(tokens)} tokens for all of them"
        )
    return list(tokens)


def year_answers(
    pair: PairTexts, years: Sequence[int], model: Reader, clean: Int[Tensor, " pos"]
) -> tuple[list[int], list[int]]:
    """The tokens of the years after a pair's label, and of all others.

    Raises:
        InputError: there is none after it, or it is no token of the clean text, so that another
            year is asked for than the model reads.
    """
    assert pair.label is not None, "years_of has seen to it"
    right, wrong = list(years[pair.label + 1 :]), list(years[: pair.label + 1])
    if not right:
        raise InputError(
            f"{pair.where}: expected a label below {YEARS[-1]}, found {pair.label}, after which "
            "there is no year of the century"
        )
    where_year = (clean == years[pair.label]).nonzero()
    if not len(where_year):
        raise InputError(
            f"{pair.where}: expected the label {YEARS[pair.label]} as a token of the clean text, "
            f"found `{_shown(model, clean, len(clean))}` without it"
        )
    return right, wrong


def continuation(
    model: Reader, where: str, text: str, words: str
) -> Int[Tensor, " continuation"] | None:
    """The tokens by which words make a text longer; None where they change others.

    Raises:
        InputError: the model's tokenizer refuses the text.
    """
    before, whole = (_encode(model, where, given) for given in (text, text + words))
    n = len(before)
    return whole[n:] if torch.equal(whole[:n], before) else None


def after_text(model: Reader, pair: PairTexts, answer: str) -> Int[Tensor, " pos"] | None:
    """The tokens by which an answer makes the clean text longer; None where it changes others.

    Digits after digits may run together (`` 13`` and ``00`` are the one token `` 1300`` of GPT-2,
    which reads ``1352`` as `` 13`` and ``52``): where they do, they stand on a line of their own.
    """
    if not isinstance(pair.clean, str):
        raise InputError(
            f"{pair.where}: expected the answers to an input of tokens as tokens, found the text "
            f"{ascii(answer)[:MOST_SHOWN]}"
        )
    text, words = pair.clean, model.separator + answer
    found = continuation(model, pair.where, text, words)
    run_together = found is None or not len(found)
    if run_together and text[-1].isdigit() and answer[0].isdigit():
        return continuation(model, pair.where, f"{text}\n", words)
    return found


def _input(
    model: Reader, where: str, side: str, given: str | tuple[int, ...]
) -> Int[Tensor, " pos"]:
    shape = model.shape
    tokens = _encode(model, where, given).tolist() if isinstance(given, str) else list(given)
    if not 2 <= len(tokens) <= shape.n_ctx:
        most = f"at most {shape.n_ctx} tokens, which the model reads"
        limits = "at least two tokens" if len(tokens) < 2 else most
        raise InputError(f"{where}: expected a {side} text of {limits}, found {len(tokens)}")
    for token in tokens:
        if not 0 <= token < shape.d_vocab:
            raise InputError(
                f"{where}: expected tokens of the model, 0 to {shape.d_vocab - 1}, in the {side} "
                f"text, found {str(token)[:MOST_SHOWN]}"
            )
    return torch.tensor(tokens, dtype=torch.int64)


def _encode(model: Reader, where: str, text: str) -> Int[Tensor, " pos"]:
    """Tokens of a text that comes from a file, so that what is wrong with it is the file's."""
    try:
        return model.encode(text)
    except (InputError, UsageError) as error:
        raise InputError(f"{where}: {error}") from None


def _answer(model: Reader, pair: PairTexts, answer: int | str) -> int:
    """The token of an answer; of text the one token by which it makes the clean text longer."""
    if isinstance(answer, int):
        return _output(model, pair, answer, answer)
    after = after_text(model, pair, answer)
    if after is None or len(after) != 1:
        found = "" if after is None else f", which is `{_shown(model, after, 0)}`"
        ends = isinstance(pair.clean, str) and pair.clean[-1:].isspace()
        space = "; the text ends with a space: move it to the answers" if ends else ""
        raise InputError(
            f"{pair.where}: expected an answer that is one token after the text (a space before "
            f"a word belongs to it), found {answer[:MOST_SHOWN]!r}{found}{space}"
        )
    if int(after[0]) == model.unk:
        raise InputError(
            f"{pair.where}: expected an answer that the tokenizer knows, found "
            f"{answer[:MOST_SHOWN]!r}, in whose place it puts `{model.label(model.unk)}`, as for "
            "any other word that it does not know; give another answer"
        )
    return _output(model, pair, int(after[0]), answer)


def _require_same(
    model: Reader, pair: PairTexts, tokens: Sequence[int], again: Sequence[int | str]
) -> None:
    """Check that answers which a file gives once more are the same: as tokens, or as text that
    starts with one, with its leading space or without.
    """
    for answer in again:
        if isinstance(answer, int):
            found = {answer}
        else:
            spelled = (after_text(model, pair, text) for text in (answer, f" {answer}"))
            found = {int(after[0]) for after in spelled if after is not None and len(after)}
        if not found & set(tokens):
            read = ", ".join(f"{token} (`{model.label(token)}`)" for token in tokens)
            raise InputError(
                f"{pair.where}: expected the same answer as a token and as text, found the token "
                f"{read} and {repr(answer)[:MOST_SHOWN]}; leave out the columns that are of "
                "another tokenizer, or mend them"
            )


def _output(model: Reader, pair: PairTexts, token: int, answer: int | str) -> int:
    d_vocab_out = model.shape.d_vocab_out
    if not 0 <= token < d_vocab_out:
        raise InputError(
            f"{pair.where}: expected an answer among the model's outputs, 0 to {d_vocab_out - 1}, "
            f"found {repr(answer)[:MOST_SHOWN]}"
        )
    return token


def _shown(model: Reader, tokens: Int[Tensor, " pos"], middle: int) -> str:
    """The labels of the tokens around one."""
    first, last = max(middle - AROUND, 0), middle + AROUND + 1
    labels = [model.label(token)[:LONGEST] for token in tokens[first:last].tolist()]
    return "|".join([".."] * (first > 0) + labels + [".."] * (last < len(tokens)))
