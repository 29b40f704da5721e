"""Files of pairs: what they may hold, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from mitool.core.errors import InputError
from mitool.pairs.files import PairTexts, group_names_of, has_only_years, read_pairs

BOTH = "clean,corrupted"


def csv_file(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, newline="")
    return path


def json_file(folder: Path, content: Any) -> Path:
    path = folder / "pairs.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def prompt(**changes: Any) -> dict[str, Any]:
    usual = {"clean": "a", "corrupt": "b", "answers": [" x"], "wrong_answers": [" y"]}
    return {"prompts": [{**usual, **changes}]}


def test_columns_of_a_csv_file(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        "\ufeffname,clean,corrupted,correct_idx,incorrect_idx\r\n"
        '1,"a, ""b""\nc",d,3,4\r\n2,e,f,5,6\r\n',
    )
    where = f"{path}, line "
    assert read_pairs(path) == [
        PairTexts('a, "b"\nc', "d", (3,), (4,), None, 3, where + "3"),
        PairTexts("e", "f", (5,), (6,), None, 4, where + "4"),
    ]
    (pair,) = read_pairs(csv_file(tmp_path, f"{BOTH},correct,incorrect\na,b, x, y\n"))
    assert (pair.correct, pair.incorrect, pair.label) == ((" x",), (" y",), None)
    (pair,) = read_pairs(csv_file(tmp_path, f"{BOTH}\na,b\n"))
    assert (pair.correct, pair.incorrect, pair.label) == ((), (), None)


def test_groups_of_a_file(tmp_path: Path) -> None:
    pairs = read_pairs(csv_file(tmp_path, f"{BOTH},group\na,b,x\nc,d, y z \ne,f,x\n"))
    assert group_names_of(pairs) == ("x", "y z", "x")
    assert group_names_of(read_pairs(csv_file(tmp_path, f"{BOTH},group\na,b,\nc,d,  \n"))) is None
    assert group_names_of(read_pairs(csv_file(tmp_path, f"{BOTH}\na,b\n"))) is None
    path = json_file(tmp_path, {"prompts": [prompt(group=g)["prompts"][0] for g in (3, "3", "b")]})
    assert group_names_of(read_pairs(path)) == ("3", "3", "b")
    assert group_names_of(read_pairs(json_file(tmp_path, prompt(group=None)))) is None


@pytest.mark.parametrize(
    ("text", "label"), [("52", 52), (" 07", 7), ("0", 0), ("123", None), ("", None), ("-1", None)]
)
def test_a_label_is_a_year_or_nothing(tmp_path: Path, text: str, label: int | None) -> None:
    pairs = read_pairs(csv_file(tmp_path, f"{BOTH},label\n1700 a 1752 17,b,{text}\n"))
    assert pairs[0].label == label
    # 07 and 00 are labels that may be years, of which the text spells one
    assert has_only_years(pairs) == (label in (52, 0))
    answered = f"{BOTH},label,correct,incorrect\n1752,b,{text}, x, y\n"
    assert not has_only_years(read_pairs(csv_file(tmp_path, answered)))


def test_the_json_of_autocircuit(tmp_path: Path) -> None:
    sets = {"answers": [" x", " z"], "wrong_answers": [" y"]}
    tokens = {"clean": [1, 2], "corrupt": [1, 3], "answers": [4], "wrong_answers": [5, 6]}
    prompts = [{"clean": "a", "corrupt": "b", **sets}, tokens | {"more": None}]
    content = {"seq_labels": ["A"], "word_idxs": {"end": 1}, "prompts": prompts}
    path = json_file(tmp_path, content)
    where = f"{path}, prompt "
    assert read_pairs(path) == [
        PairTexts("a", "b", (" x", " z"), (" y",), None, 1, where + "1"),
        PairTexts((1, 2), (1, 3), (4,), (5, 6), None, 2, where + "2"),
    ]
    path = json_file(tmp_path, "\ufeff" + json.dumps({"prompts": [{"clean": "a", "corrupt": "b"}]}))
    assert read_pairs(path)[0].correct == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{BOTH},correct\na,b,x\n", "both of the columns correct and incorrect or neither, found"),
        (f"{BOTH},incorrect_idx\na,b,3\n", "only incorrect_idx"),
        (f"{BOTH},correct,incorrect\na,b,x,\n", "line 2: expected both answers or neither"),
        (f"{BOTH},correct,incorrect\na,b,x,y\na,b,,\n", "line 3: expected answers, which other"),
        (f"{BOTH},correct,incorrect\na,b\n", "line 2: expected as many fields"),
        (f"{BOTH}\na,b,c\n", "line 2: expected as many fields"),
        (f'{BOTH}\n"a,b\n', "after line 1: expected a CSV file; found: unexpected end of data"),
        (
            f"{BOTH},correct_idx,incorrect_idx\na,b,{'9' * 5000},3\n",
            "the number of a token",
        ),
        ("", "with the columns clean and corrupted; found none"),
        (f"{BOTH},clean\na,b,c\n", "expected one column clean, found 2"),
        (f"{BOTH},group,group\na,b,c,d\n", "expected one column group, found 2"),
        (
            f"{BOTH},group\na,b,x\nc,d,\n",
            "line 3: expected a group, which other pairs of the file have, found none",
        ),
    ],
)
def test_a_damaged_csv_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(csv_file(tmp_path, text))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected a JSON file in UTF-8; found: Expecting"),
        ("[" * 100_000, "found too many levels"),
        ('{"prompts": ' + "9" * 5000 + "}", "expected a JSON file"),
        ('{"prompts": [], "more": NaN}', "found: NaN, which is no number in JSON"),
        ('{"prompts": [], "prompts": 1}', "found: the key 'prompts' twice in one object"),
        ([], "expected a JSON object with the list 'prompts', found a list"),
        ({}, "expected the key 'prompts', found none"),
        ({"pairs": []}, "expected the key 'prompts', found 'pairs'"),
        ({"prompts": {}}, "expected a list of pairs as 'prompts', found an object"),
        ({"prompts": []}, "expected a list of pairs as 'prompts', found none"),
        ({"prompts": ["a"]}, "prompt 1: expected an object with clean and corrupt, found a text"),
        ({"prompts": [{"clean": "a"}]}, "prompt 1: expected the key 'corrupt', found 'clean'"),
        (prompt(clean=None), "prompt 1: expected a text or a list of tokens.* 'clean', found null"),
        (prompt(clean=" "), "found the text ' '"),
        (prompt(clean="\ud800"), r"found the text '\\ud800'"),
        (prompt(clean=[]), "found a list of none"),
        (prompt(clean=[True]), "found a list of true or false"),
        (prompt(corrupt=[[1, 2]]), "as 'corrupt', found a list of a list"),
        (prompt(corrupt=[1.5]), "found a list of a number"),
        (prompt(answers=" x"), "a list of texts or of tokens.* as 'answers', found the text ' x'"),
        (prompt(answers=[]), "as 'answers', found a list of none"),
        (prompt(answers=[False]), "as 'answers', found a list of true or false"),
        (prompt(wrong_answers=[" y", None]), "'wrong_answers', found a list of a text, null"),
        (prompt(group=["x"]), "a text or a whole number as 'group', found a list of a text"),
        (prompt(group=True), "as 'group', found true or false"),
        (prompt(group=" "), "as 'group', found the text ' '"),
        (prompt(wrong_answers=[""]), "'wrong_answers', found a list of a text"),
        (
            {"prompts": [{"clean": "a", "corrupt": "b", "answers": ["c"]}]},
            "expected the key 'wrong_answers'",
        ),
        (
            {"prompts": [*prompt()["prompts"], {"clean": "a", "corrupt": "b"}]},
            "prompt 2: expected answers, which other pairs of the file have",
        ),
    ],
)
def test_a_damaged_json_file_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = json_file(tmp_path, content)
    with pytest.raises(InputError, match=message) as refusal:
        read_pairs(path)
    assert str(refusal.value).startswith(str(path))
    assert len(str(refusal.value)) < 400 + len(str(path))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for name in ("nowhere.csv", "nowhere.json"):
        with pytest.raises(InputError, match=f"{name}: cannot be read: No such file"):
            read_pairs(tmp_path / name)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_pairs(tmp_path / "folder.json")
