"""Files of clean and corrupted inputs: CSV, and the JSON of AutoCircuit."""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from mitool.core.errors import InputError, each, said
from mitool.core.strict_json import kind, parsed

REQUIRED = ("clean", "corrupted")
WORDS = ("correct", "incorrect")
ANSWERS = (
    ("correct_idx", "incorrect_idx"),
    ("clean_answer_idx", "corrupted_answer_idx"),
    ("country_idx", "corrupted_country_idx"),
    WORDS,
    ("clean_answer", "corrupted_answer"),
)
"""Columns of a CSV file: those that it must have, and the couples of those of the two answers, the
couple first that is read where a file has several. Those that are named for a clean and a
corrupted answer, or a country, are of the files of EAP-IG.
"""

IDX = "_idx"
"""What the name of a column of tokens ends in; the other answers are as they follow the text."""

LABEL = "label"
"""The column of the two-digit year that a clean text of greater-than starts from; of another task
it may hold anything, which is then no year and not read.
"""

GROUP = "group"
"""The column, or key, of the group that a pair belongs to, if a file divides its pairs itself."""

PROMPTS, JSON_TEXTS, JSON_ANSWERS = "prompts", ("clean", "corrupt"), ("answers", "wrong_answers")
"""The keys of a JSON file that are read."""

MOST_SHOWN = 120
"""Letters of a file's own text in a message."""

YEAR = re.compile("[0-9]{1,2}")
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a letter, which JSON can spell and no tokenizer reads."""


@dataclass(frozen=True)
class PairTexts:
    """A pair as a file has it: a line of CSV, or a prompt of JSON.

    Attributes:
        clean: what the model reads, as text or as tokens.
        corrupted: its counterpart.
        correct: the answers that are right for the clean input, as tokens or as they follow the
            text; empty if the file does not say.
        incorrect: those to compare them with; empty where ``correct`` is.
        label: the two-digit year that the clean text starts from, if the file gives one.
        line: the line that it ends on, or the number of the prompt, from 1.
        where: the file and that place in it, for messages.
        again: the right and the wrong answers once more, where the file has them twice, as tokens
            and as text.
        group: what the pair belongs to, if the file says; pairs of one group are no independent
            evidence of each other.
    """

    clean: str | tuple[int, ...]
    corrupted: str | tuple[int, ...]
    correct: tuple[int | str, ...]
    incorrect: tuple[int | str, ...]
    label: int | None
    line: int
    where: str
    again: tuple[tuple[int | str, ...], tuple[int | str, ...]] = ((), ())
    group: str | None = None


def read_pairs(path: Path) -> list[PairTexts]:
    """Read a file of pairs: JSON where its name ends in ``.json``, else CSV.

    CSV has the columns ``clean,corrupted`` and, with the answers, ``correct_idx,incorrect_idx`` as
    tokens or ``correct,incorrect`` as text, or others of ``ANSWERS``, or ``label``
    (``PairTexts.label``); of answers given twice the first of ``ANSWERS`` are read, and the others
    are to be the same. JSON is an object
    whose ``prompts`` are objects of ``clean`` and ``corrupt``, each a text or a list of tokens,
    and, with the answers, ``answers`` and ``wrong_answers``, lists of texts or of tokens. Either
    may have a ``group`` for each pair. Other columns and keys are not read.

    Raises:
        InputError: it is missing, no such file, or a pair of it is damaged.
    """
    try:
        pairs = _of_json(path) if path.suffix.lower() == ".json" else _of_csv(path)
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None
    _require_all_or_none(pairs, "answers", lambda pair: bool(pair.correct))
    _require_all_or_none(pairs, f"a {GROUP}", lambda pair: pair.group is not None)
    return pairs


def _require_all_or_none(
    pairs: Sequence[PairTexts], what: str, is_given: Callable[[PairTexts], bool]
) -> None:
    def require(pair: PairTexts) -> None:
        if not is_given(pair):
            raise InputError(
                f"{pair.where}: expected {what}, which other pairs of the file have, found none; "
                "give it for every pair, or for none"
            )

    if any(map(is_given, pairs)):
        each(require, pairs)


def group_names_of(pairs: Sequence[PairTexts]) -> tuple[str, ...] | None:
    """The group of each pair; None where the file does not say."""
    names = tuple(pair.group for pair in pairs if pair.group is not None)
    return names if len(names) == len(pairs) else None


def has_only_years(pairs: Sequence[PairTexts]) -> bool:
    """Whether a file gives the year that each clean text starts from, and no answers.

    Labels that their texts do not spell are no years, such as the 0 and 1 of two classes.
    """
    return all(pair.label is not None and not pair.correct and _spells(pair) for pair in pairs)


def _spells(pair: PairTexts) -> bool:
    return isinstance(pair.clean, str) and f"{pair.label:02d}" in pair.clean


def _of_csv(path: Path) -> list[PairTexts]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            couples = _answer_columns(path, reader.fieldnames or ())
            pairs = each(lambda row: _of_row(path, reader.line_num, row, couples), reader)
    except UnicodeDecodeError as failure:
        found = said(failure)
        raise InputError(f"{path}: expected a CSV file in UTF-8; found: {found}") from failure
    except csv.Error as failure:
        raise InputError(
            f"{path}, after line {reader.line_num}: expected a CSV file; found: {said(failure)} (a "
            "quote that is not closed is the usual reason)"
        ) from None
    if not pairs:
        raise InputError(f"{path}: expected at least one pair, found only the heading")
    return pairs


def _answer_columns(path: Path, heading: Sequence[str]) -> list[tuple[str, str]]:
    """The couples of ``ANSWERS`` of which a file has columns, of which there may be none; one of
    them at least is whole.
    """
    if not all(name in heading for name in REQUIRED):
        found = ", ".join(map(repr, heading)) or "none"
        raise InputError(
            f"{path}: expected a CSV file, its fields apart by commas, with the columns "
            f"{' and '.join(REQUIRED)}; found {found[:MOST_SHOWN]}"
        )
    for name in (*REQUIRED, *chain.from_iterable(ANSWERS), LABEL, GROUP):
        if heading.count(name) > 1:
            raise InputError(f"{path}: expected one column {name}, found {heading.count(name)}")
    couples = [couple for couple in ANSWERS if any(name in heading for name in couple)]
    if couples and not any(all(name in heading for name in couple) for couple in couples):
        alone = next(name for name in couples[0] if name in heading)
        raise InputError(
            f"{path}: expected both of the columns {' and '.join(couples[0])} or neither, found "
            f"only {alone}"
        )
    return couples


def _of_row(
    path: Path, line: int, row: dict[str, str | None], couples: Sequence[tuple[str, str]]
) -> PairTexts:
    where = f"{path}, line {line}"
    clean, corrupted = (row[name] for name in REQUIRED)
    if clean is None or corrupted is None or None in row.values() or None in row:
        raise InputError(f"{where}: expected as many fields as the heading has")
    if not clean.strip() or not corrupted.strip():
        raise InputError(f"{where}: expected a clean and a corrupted text, found none")
    given = [tuple(_answer(where, name, row.get(name)) for name in couple) for couple in couples]
    whole = [couple for couple in given if None not in couple]
    if not whole and any(answer is not None for couple in given for answer in couple):
        raise InputError(f"{where}: expected both answers or neither, found one")
    chosen = whole[0] if whole else (None, None)
    others = [couple for couple in given if couple is not chosen]
    correct, incorrect = (_without_none([answer]) for answer in chosen)
    again = tuple(_without_none([couple[side] for couple in others]) for side in (0, 1))
    year = (row.get(LABEL) or "").strip()
    label = int(year) if YEAR.fullmatch(year) else None
    group = (row.get(GROUP) or "").strip() or None
    twice = (again[0], again[1])
    return PairTexts(clean, corrupted, correct, incorrect, label, line, where, twice, group)


def _without_none(answers: Sequence[int | str | None]) -> tuple[int | str, ...]:
    return tuple(answer for answer in answers if answer is not None)


def _answer(where: str, name: str, text: str | None) -> int | str | None:
    """An answer of a column; None where the field is empty, or there is no such column."""
    if not text or not name.endswith(IDX):
        return text or None
    try:
        return int(text)
    except ValueError:
        remedy = f"text goes into the column {name.removesuffix(IDX)}"
        raise InputError(
            f"{where}: expected the number of a token as {name}, found {text[:MOST_SHOWN]!r}; "
            f"{remedy if name in chain.from_iterable(ANSWERS[:2]) else 'leave the column out'}"
        ) from None


def _of_json(path: Path) -> list[PairTexts]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = parsed(text)
    except RecursionError:
        raise InputError(f"{path}: expected a JSON file of pairs, found too many levels") from None
    except ValueError as failure:  # whatever is wrong with JSON, UTF-8 and numbers of many digits
        found = said(failure)
        raise InputError(f"{path}: expected a JSON file in UTF-8; found: {found}") from failure
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected a JSON object with the list {PROMPTS!r}, found {kind(content)}"
        )
    prompts = _member(str(path), content, PROMPTS)
    if not isinstance(prompts, list) or not prompts:
        found = "none" if prompts == [] else kind(prompts)
        raise InputError(f"{path}: expected a list of pairs as {PROMPTS!r}, found {found}")
    return each(lambda numbered: _of_prompt(path, *numbered), enumerate(prompts, start=1))


def _of_prompt(path: Path, number: int, prompt: Any) -> PairTexts:
    where = f"{path}, prompt {number}"
    if not isinstance(prompt, dict):
        raise InputError(
            f"{where}: expected an object with {' and '.join(JSON_TEXTS)}, found {kind(prompt)}"
        )
    clean, corrupted = (_input(where, name, _member(where, prompt, name)) for name in JSON_TEXTS)
    correct: tuple[int | str, ...] = ()
    incorrect: tuple[int | str, ...] = ()
    if any(name in prompt for name in JSON_ANSWERS):
        correct, incorrect = (
            _answers(where, name, _member(where, prompt, name)) for name in JSON_ANSWERS
        )
    group = None if prompt.get(GROUP) is None else _group(where, prompt[GROUP])
    return PairTexts(clean, corrupted, correct, incorrect, None, number, where, group=group)


def _member(where: str, content: dict[str, Any], name: str) -> Any:
    if name not in content:
        found = ", ".join(map(repr, content)) or "none"
        raise InputError(f"{where}: expected the key {name!r}, found {found[:MOST_SHOWN]}")
    return content[name]


def _input(where: str, name: str, value: Any) -> str | tuple[int, ...]:
    if isinstance(value, str) and value.strip() and not SURROGATE.search(value):
        return value
    if isinstance(value, list) and value and all(type(token) is int for token in value):
        return tuple(value)
    raise _unexpected(where, f"a text or a list of tokens, whole numbers, as {name!r}", value)


def _group(where: str, value: Any) -> str:
    if (isinstance(value, str) and value.strip()) or type(value) is int:
        return str(value).strip()
    raise _unexpected(where, f"a text or a whole number as {GROUP!r}", value)


def _answers(where: str, name: str, value: Any) -> tuple[int | str, ...]:
    if isinstance(value, list) and value and all(map(_is_answer, value)):
        return tuple(value)
    raise _unexpected(where, f"a list of texts or of tokens, whole numbers, as {name!r}", value)


def _is_answer(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value) and not SURROGATE.search(value)
    return type(value) is int  # a bool is an int too


def _unexpected(where: str, expected: str, value: Any) -> InputError:
    found = kind(value)
    if isinstance(value, str):
        found = f"the text {ascii(value)[:MOST_SHOWN]}"
    elif isinstance(value, list):
        found = "a list of " + (", ".join(sorted({kind(item) for item in value})) or "none")
    return InputError(f"{where}: expected {expected}, found {found}")
