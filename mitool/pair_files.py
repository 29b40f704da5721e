"""Files of clean and corrupted inputs: CSV, and the JSON of AutoCircuit."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitool.errors import InputError
from mitool.strict_json import kind, parsed

REQUIRED = ("clean", "corrupted")
TOKENS, WORDS = ("correct_idx", "incorrect_idx"), ("correct", "incorrect")
"""Columns of a CSV file: those that it must have, and those of the two answers, as tokens or as
they follow the text.
"""

LABEL = "label"
"""The column of the two-digit year that a clean text of greater-than starts from; of another task
it may hold anything, which is then no year and not read.
"""

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
    """

    clean: str | tuple[int, ...]
    corrupted: str | tuple[int, ...]
    correct: tuple[int | str, ...]
    incorrect: tuple[int | str, ...]
    label: int | None
    line: int
    where: str


def read_pairs(path: Path) -> list[PairTexts]:
    """Read a file of pairs: JSON where its name ends in ``.json``, else CSV.

    CSV has the columns ``clean,corrupted`` and, with the answers, ``correct_idx,incorrect_idx`` as
    tokens or ``correct,incorrect`` as text, or ``label`` (``PairTexts.label``). JSON is an object
    whose ``prompts`` are objects of ``clean`` and ``corrupt``, each a text or a list of tokens,
    and, with the answers, ``answers`` and ``wrong_answers``, lists of texts or of tokens. Other
    columns and keys are not read.

    Raises:
        InputError: it is missing, no such file, or a pair of it is damaged.
    """
    try:
        pairs = _of_json(path) if path.suffix.lower() == ".json" else _of_csv(path)
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None
    silent = [pair for pair in pairs if not pair.correct]
    if 0 < len(silent) < len(pairs):
        raise InputError(
            f"{silent[0].where}: expected answers, which other pairs of the file have, found none"
        )
    return pairs


def has_only_years(pairs: Sequence[PairTexts]) -> bool:
    """Whether a file gives the year that each clean text starts from, and no answers."""
    return all(pair.label is not None and not pair.correct for pair in pairs)


def _of_csv(path: Path) -> list[PairTexts]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = _answer_columns(path, reader.fieldnames or ())
            pairs = [_of_row(path, reader.line_num, row, columns) for row in reader]
    except UnicodeDecodeError as failure:
        raise InputError(f"{path}: expected a CSV file in UTF-8; found: {failure}") from None
    except csv.Error as failure:
        raise InputError(
            f"{path}, behind line {reader.line_num}: expected a CSV file; found: {failure} (a "
            "quote that is not closed is the usual reason)"
        ) from None
    if not pairs:
        raise InputError(f"{path}: expected at least one pair, found only the heading")
    return pairs


def _answer_columns(path: Path, heading: Sequence[str]) -> tuple[str, ...]:
    """The columns of the two answers, of which there may be none."""
    if not all(name in heading for name in REQUIRED):
        found = ", ".join(map(repr, heading)) or "none"
        raise InputError(
            f"{path}: expected a CSV file, its fields apart by commas, with the columns "
            f"{' and '.join(REQUIRED)}; found {found[:MOST_SHOWN]}"
        )
    for name in (*REQUIRED, *TOKENS, *WORDS, LABEL):
        if heading.count(name) > 1:
            raise InputError(f"{path}: expected one column {name}, found {heading.count(name)}")
    for couple in (TOKENS, WORDS):
        found_of_couple = [name for name in couple if name in heading]
        if len(found_of_couple) == 1:
            raise InputError(
                f"{path}: expected both of the columns {' and '.join(couple)} or neither, found "
                f"only {found_of_couple[0]}"
            )
        if found_of_couple:
            return couple
    return ()


def _of_row(
    path: Path, line: int, row: dict[str, str | None], columns: tuple[str, ...]
) -> PairTexts:
    where = f"{path}, line {line}"
    clean, corrupted = (row[name] for name in REQUIRED)
    if clean is None or corrupted is None or None in row.values() or None in row:
        raise InputError(f"{where}: expected as many fields as the heading has")
    if not clean.strip() or not corrupted.strip():
        raise InputError(f"{where}: expected a clean and a corrupted text, found none")
    given = [text for text in (row[name] for name in columns) if text]
    if len(given) == 1:
        raise InputError(f"{where}: expected both answers or neither, found one")
    answers: Sequence[int | str] = _tokens(where, given) if columns == TOKENS else given
    year = (row.get(LABEL) or "").strip()
    label = int(year) if YEAR.fullmatch(year) else None
    return PairTexts(clean, corrupted, tuple(answers[:1]), tuple(answers[1:]), label, line, where)


def _tokens(where: str, given: Sequence[str]) -> list[int]:
    try:
        return [int(text) for text in given]
    except ValueError:
        found = ", ".join(map(repr, given))
        raise InputError(
            f"{where}: expected the numbers of tokens as {' and '.join(TOKENS)}, found "
            f"{found[:MOST_SHOWN]}; text goes into the columns {' and '.join(WORDS)}"
        ) from None


def _of_json(path: Path) -> list[PairTexts]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = parsed(text)
    except RecursionError:
        raise InputError(f"{path}: expected a JSON file of pairs, found too many levels") from None
    except ValueError as failure:  # whatever is wrong with JSON, UTF-8 and numbers of many digits
        raise InputError(f"{path}: expected a JSON file in UTF-8; found: {failure}") from None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected a JSON object with the list {PROMPTS!r}, found {kind(content)}"
        )
    prompts = _member(str(path), content, PROMPTS)
    if not isinstance(prompts, list) or not prompts:
        found = "none" if prompts == [] else kind(prompts)
        raise InputError(f"{path}: expected a list of pairs as {PROMPTS!r}, found {found}")
    return [_of_prompt(path, number, prompt) for number, prompt in enumerate(prompts, start=1)]


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
    return PairTexts(clean, corrupted, correct, incorrect, None, number, where)


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
