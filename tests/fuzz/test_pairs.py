"""Files of pairs: whatever they hold, and the same pairs written in other ways."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example
from hypothesis import strategies as st

from mitool.core.errors import InputError
from mitool.pairs.files import PairTexts, read_pairs
from tests.fuzz.commands import Commands, accepted, bounded
from tests.fuzz.documents import DEEP, LONG_NUMBER, VALUES, damaged, dumped
from tests.fuzz.profiles import fuzzed

BOTH = "clean,corrupted"
KNOWN = ["clean", "corrupted", "correct", "incorrect", "correct_idx", "incorrect_idx", "label"]
FIELDS = st.one_of(
    st.sampled_from(
        ["a", "", '"', " x", "3", "-1", "99", "x,y", "\n", "\x00", "9" * 5000, "\x1b["]
    ),
    st.text(max_size=5),
)
COLUMNS = st.one_of(st.sampled_from(KNOWN), st.text(max_size=4))
LINES = st.lists(st.one_of(st.lists(COLUMNS), st.lists(FIELDS, max_size=5)), max_size=4)
MEMBERS = st.one_of(
    VALUES, st.sampled_from(["a b", [1, 2], ["x"], [1e999], [True], [10**30, 1], [1, 2, 3] * 99])
)
KEYS = st.sampled_from(["clean", "corrupt", "answers", "wrong_answers", "other"])
CONTENTS = st.fixed_dictionaries({"prompts": st.lists(st.dictionaries(KEYS, MEMBERS), max_size=3)})
GOOD = f"{BOTH},correct,incorrect\r\n1 2,2 1,3,4\r\n".encode()


def joined(lines: list[list[str]], heading: str = "") -> bytes:
    return (heading + "\n".join(",".join(line) for line in lines)).encode(errors="replace")


ANY = st.one_of(
    st.binary(max_size=200),
    LINES.map(joined),
    LINES.map(lambda lines: joined(lines, f"{BOTH}\n")),
    st.one_of(CONTENTS, VALUES).map(dumped),
    damaged(GOOD),
)


@fuzzed(80, content=ANY, name=st.sampled_from(["any.csv", "any.json"]))
@example(content=DEEP, name="any.json")
@example(content=LONG_NUMBER, name="any.json")
@example(content=b'{"prompts": [{"clean": [1e999], "corrupt": "b"}]}', name="any.json")
@example(content=b"clean,corrupted,clean\na,b,c\n", name="any.csv")
def test_any_bytes_are_pairs_or_refused(commands: Commands, content: bytes, name: str) -> None:
    path = commands.folder / name
    path.write_bytes(content)
    pairs = accepted(lambda: read_pairs(path), InputError)
    if pairs is None:
        return
    assert pairs
    sides = [side for pair in pairs for side in (pair.correct, pair.incorrect)]
    assert all(sides) or not any(sides)


TOKENS = st.lists(st.sampled_from([*"0123", "=", "9", "x"]), min_size=1, max_size=4).map(" ".join)
PAIRS = st.fixed_dictionaries({"clean": TOKENS, "corrupted": TOKENS})
ANSWERS = st.fixed_dictionaries(
    {name: st.sampled_from(["0", "1", "4", "5", "-1", "x", "9" * 30]) for name in KNOWN[2:6]}
)
ROWS = st.lists(st.tuples(PAIRS, ANSWERS).map(lambda parts: parts[0] | parts[1]), max_size=4)


@fuzzed(
    5,
    rows=ROWS,
    columns=st.lists(st.sampled_from(KNOWN[2:6]), unique=True, max_size=4),
    command=st.sampled_from(
        [("patch", "--n-pairs", "2", "--resamples", "100"), ("analyze", "attn")]
    ),
    content=st.one_of(st.none(), ANY),
)
def test_any_pairs_are_studied_or_refused(
    commands: Commands,
    rows: list[dict[str, str]],
    columns: list[str],
    command: tuple[str, ...],
    content: bytes | None,
) -> None:
    written = written_csv(rows, [*BOTH.split(","), *columns])
    (commands.folder / "pairs.csv").write_bytes(written if content is None else content)
    where = ("-o", "studied", "--overwrite", "--format", "html", "--quiet")
    commands.answered(*command, "modadd", "--pairs", "pairs.csv", *where, codes=(0, 2, 3))


def written_csv(rows: list[dict[str, str]], columns: list[str], **how: Any) -> bytes:
    """Rows as a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", **how)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), min_size=1
).filter(str.strip)
TABLES = st.lists(
    st.fixed_dictionaries(
        dict.fromkeys(KNOWN[:4], WORDS) | {"name": st.text('ab,"\n ', max_size=3)}
    ),
    min_size=1,
    max_size=4,
)


@fuzzed(
    40,
    rows=TABLES,
    columns=st.permutations([*KNOWN[:4], "name"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_columns_quotes_line_ends_and_marks_are_all_the_same(
    commands: Commands,
    rows: list[dict[str, str]],
    columns: list[str],
    quoting: Any,
    end: str,
    mark: bytes,
) -> None:
    path = commands.folder / "same.csv"
    path.write_bytes(mark + written_csv(rows, columns, quoting=quoting, lineterminator=end))
    found = [(p.clean, p.corrupted, p.correct, p.incorrect) for p in read_pairs(path)]
    assert found == [
        (row["clean"], row["corrupted"], (row["correct"],), (row["incorrect"],)) for row in rows
    ]


@fuzzed(40, rows=TABLES, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_json_and_csv_hold_the_same_pairs(
    commands: Commands, rows: list[dict[str, str]], indent: int | None, ascii_only: bool
) -> None:
    sides = {"clean": "clean", "corrupt": "corrupted"}
    answers = {"answers": "correct", "wrong_answers": "incorrect"}
    prompts = [
        {key: row[name] for key, name in sides.items()}
        | {key: [row[name]] for key, name in answers.items()}
        for row in rows
    ]
    text = json.dumps({"prompts": prompts}, indent=indent, ensure_ascii=ascii_only)
    by_json, by_csv = commands.folder / "same.json", commands.folder / "same.csv"
    by_json.write_text(text, encoding="utf-8")
    by_csv.write_bytes(written_csv(rows, KNOWN[:4]))
    assert [_told(pair) for pair in read_pairs(by_json)] == [
        _told(pair) for pair in read_pairs(by_csv)
    ]


def _told(pair: PairTexts) -> tuple[object, ...]:
    return pair.clean, pair.corrupted, pair.correct, pair.incorrect


def many_rows(path: Path, mixed: bool) -> Path:
    """A hundred thousand pairs of sums modulo 5; where mixed, of two lengths."""
    rows = [f"{i % 5} {i % 3} =,{(i + 1) % 5} {i % 3} =" for i in range(100_000)]
    if mixed:
        rows[1::2] = ["1 2,2 2"] * 50_000
    path.write_text(BOTH + "\n" + "\n".join(rows) + "\n")
    return path


STUDY_OF_MANY = (
    *("patch", "modadd", "--pairs", "many.csv", "--edge", "m0->logits", "--metric", "kl"),
    *("--resamples", "100", "-o", "many", "--overwrite", "--format", "html", "--quiet"),
)


@pytest.mark.parametrize("mixed", [False, True], ids=["of one length", "of mixed lengths"])
def test_a_hundred_thousand_rows_take_seconds(commands: Commands, mixed: bool) -> None:
    path = many_rows(commands.folder / "many.csv", mixed)
    with bounded(5):
        assert len(read_pairs(path)) == 100_000
    with bounded(10):
        commands.answered(*STUDY_OF_MANY, "--n-pairs", "50", codes=(0,))


@pytest.mark.slow
@pytest.mark.parametrize("mixed", [False, True], ids=["of one length", "of mixed lengths"])
def test_a_hundred_thousand_rows_are_studied(commands: Commands, mixed: bool) -> None:
    many_rows(commands.folder / "many.csv", mixed)
    answer = commands.answered(*STUDY_OF_MANY, "--json", codes=(0,))
    assert answer.document()["claims"]["n_pairs"] == 100_000
