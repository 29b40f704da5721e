"""All pairs of a file that a model cannot use are told of at once, and shown by ``inspect``."""

import json
from pathlib import Path

import pytest

from mitool.core.errors import MOST_TOLD, InputError, UsageError, each
from tests.analysis.attention.models import tiny_llama
from tests.cli.conftest import Invoke

HEADING = "clean,corrupted,correct,incorrect"
GOOD = "w1 w2 w3,w1 w4 w3, w5, w6"
LONGER = "w1 w2,w1 w2 w3, w4, w5"
SAME = "w1 w2,w1  w2, w4, w5"
NO_ANSWER = "w1 w2,w1 w3, w4 w5, w6"
STUDIES = (["patch"], ["analyze", "circuit"], ["analyze", "attn"])


@pytest.fixture
def llama(invoke: Invoke) -> str:
    return str(tiny_llama(Path("llama")))


def pairs(*lines: str) -> str:
    Path("pairs.csv").write_text("\n".join([HEADING, *lines]) + "\n")
    return "pairs.csv"


def test_each_tells_of_the_first_twenty() -> None:
    def refuse_odd(number: int) -> int:
        if number % 2:
            raise (InputError if number == 1 else UsageError)(f"{number} is odd")
        return number * 10

    assert each(refuse_odd, [0, 2, 4]) == [0, 20, 40]
    with pytest.raises(InputError, match="^1 is odd") as found:
        each(refuse_odd, range(2 * MOST_TOLD + 4))
    assert str(found.value) == "1 is odd"
    notes = found.value.__notes__
    assert notes == [*(f"{2 * n + 1} is odd" for n in range(1, MOST_TOLD)), "and 2 more, 22 in all"]
    with pytest.raises(InputError) as alone:
        each(refuse_odd, [1])
    assert not hasattr(alone.value, "__notes__")


@pytest.mark.parametrize("study", STUDIES, ids=lambda words: words[-1])
def test_every_study_tells_of_all_that_it_cannot_read(
    invoke: Invoke, llama: str, study: list[str]
) -> None:
    unknown = "w1 w2,w1 w3, w4, nothing w1 w2"
    file = pairs(GOOD, NO_ANSWER, GOOD, unknown)
    done = invoke(*study, llama, "--pairs", file, "--quiet", "--format", "html")
    assert done.exit_code == 3
    first, second = done.stderr.splitlines()
    assert first.startswith("Error: pairs.csv, line 3: expected an answer that is one token")
    assert second.startswith("  pairs.csv, line 5: expected an answer")


def test_lines_that_are_no_pairs_are_told_of_at_once(invoke: Invoke, llama: str) -> None:
    file = pairs(GOOD, "w1,w2", GOOD, ",w2, w3, w4", "w1 w2,w1 w3, w4,")
    done = invoke("patch", llama, "--pairs", file, "--quiet")
    assert done.exit_code == 3
    assert [line.partition(": expected ")[0] for line in done.stderr.splitlines()] == [
        f"{start}pairs.csv, line {number}"
        for start, number in (("Error: ", 3), ("  ", 5), ("  ", 6))
    ]
    rows = [{"clean": "w1 w2", "corrupt": "w1 w3"}, {"clean": ""}, {}, {"clean": "a", "corrupt": 3}]
    Path("pairs.json").write_text(json.dumps({"prompts": rows}))
    done = invoke("patch", llama, "--pairs", "pairs.json", "--quiet")
    numbers = [line.split("prompt ")[1][0] for line in done.stderr.splitlines()]
    assert (done.exit_code, numbers) == (3, ["2", "3", "4"])


def test_texts_of_prompts_too(invoke: Invoke, llama: str) -> None:
    long = " ".join(["w1"] * 500)
    texts = [option for text in ("w1 w2", "w1", long) for option in ("--prompt", text)]
    done = invoke("analyze", "attn", llama, *texts, "--bos", "no", "--quiet")
    first, second = done.stderr.splitlines()
    assert done.exit_code == 2
    assert "at least two tokens, found 'w1' with 1" in first
    assert "which the model reads, found 'w1 w1" in second


def test_inspect_shows_how_each_pair_is_read(invoke: Invoke, llama: str) -> None:
    file = pairs(GOOD, LONGER, SAME, NO_ANSWER, GOOD)
    done = invoke("inspect", llama, "--pairs", file, "--json", "--check", "n_refused == 3")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["claims"] == {
        "n_pairs": 5,
        "n_refused": 3,
        "n_distinct": 1,
        "n_groups": 1,
        "n_lengths": 1,
    }
    assert "3 of 5 pairs cannot be used with this model" in document["warnings"]
    good, longer, same, no_answer, again = document["subject"]["pairs"]
    assert good["clean_labels"] == ["<s>", "w1", "w2", "w3"]
    assert (good["right_labels"], good["wrong_labels"], good["refusals"]) == (["w5"], ["w6"], [])
    assert again == good | {"line": 6}
    assert longer["corrupted_labels"] == ["<s>", "w1", "w2", "w3"]
    assert "expected a clean and a corrupted text of as many tokens" in longer["refusals"][0]
    assert "for both" in same["refusals"][0]
    assert no_answer["clean_labels"] == ["<s>", "w1", "w2"]
    assert "expected an answer that is one token" in no_answer["refusals"][0]


def test_inspect_prints_tokens_and_refusals(invoke: Invoke, llama: str) -> None:
    done = invoke("inspect", llama, "--pairs", pairs(GOOD, SAME))
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["2", "clean", "4", "<s>|w1|w2|w3", "w5"] in lines
    assert ["corrupted", "4", "<s>|w1|w4|w3", "w6"] in lines
    assert any(line[:2] == ["refused", "pairs.csv,"] for line in lines)
    no_bos = invoke("inspect", llama, "--pairs", pairs(GOOD), "--bos", "no")
    assert ["2", "clean", "3", "w1|w2|w3", "w5"] in [
        line.split() for line in no_bos.stdout.splitlines()
    ]


def test_inspect_reads_pairs_of_a_toy_and_years(invoke: Invoke) -> None:
    train = ("train", "min", "--max-value", "5", "--epochs", "2", "--d-model", "8", "-o", "run")
    assert invoke(*train, "--format", "html").exit_code == 0
    Path("pairs.csv").write_text(
        "clean,corrupted,correct,incorrect\n1 2 =,3 2 =,1,2\n9 2 =,3 2 =,1,2\n"
    )
    done = invoke("inspect", "run", "--pairs", "pairs.csv", "--json")
    good, bad = json.loads(done.stdout)["subject"]["pairs"]
    assert good["clean_labels"] == ["1", "2", "="]
    assert bad["clean"] == []
    assert bad["refusals"]
    assert bad["corrupted_labels"] == ["3", "2", "="]


@pytest.mark.parametrize("option", [["--bos", "no"], ["--task", "modadd"]])
def test_options_of_pairs_need_pairs(invoke: Invoke, llama: str, option: list[str]) -> None:
    done = invoke("inspect", llama, *option)
    assert done.exit_code == 2
    assert f"{option[0]} applies to pairs: give them with --pairs" in done.stderr
