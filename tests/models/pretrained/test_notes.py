"""What a user is told of how a model was read, and what libraries say meanwhile."""

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import mitool
from mitool.core.errors import said
from mitool.models.pretrained import load_pretrained
from mitool.models.pretrained.configuration import read_description
from mitool.models.pretrained.listening import LOGGERS, listening
from tests.cli.conftest import Invoke
from tests.cli.conftest import invoke as invoke
from tests.models.pretrained.folders import renamed

PAIRS = "clean,corrupted,correct,incorrect\nw0 w1,w0 w2, w3, w4\nw5 w1,w5 w2, w3, w4\n"
NOTE = "the weights' names are read without 'module.': module.lm_head.weight is lm_head.weight"
MORE = {"other.weight": torch.zeros(1), "another.weight": torch.zeros(1)}

STUDIES = (
    ("patch", "--site", "z", "--resamples", "100"),
    ("analyze", "circuit", "--edges", "5"),
    ("analyze", "attn"),
)


@pytest.fixture
def pairs(tmp_path: Path, llama: Path) -> str:
    renamed(llama, lambda name: f"module.{name}")
    (tmp_path / "pairs.csv").write_text(PAIRS)
    return "pairs.csv"


@pytest.mark.parametrize("study", STUDIES, ids=" ".join)
def test_notes_are_warnings_of_every_study(
    invoke: Invoke, pairs: str, study: tuple[str, ...]
) -> None:
    options = ("--pairs", pairs, "--format", "html", "-o", "out", "--json")
    done = invoke(*study, "llama", *options)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["warnings"][0] == NOTE
    assert json.loads(Path("out/result.json").read_text())["warnings"][0] == NOTE
    assert f"Warning: {NOTE}" in done.stderr


def test_notes_are_warnings_in_python(pairs: str, llama: Path, tmp_path: Path) -> None:
    model = mitool.load(llama)
    assert model.subject.notes == (NOTE,)
    found = model.attention(pairs=str(tmp_path / pairs), progress=False)
    assert found.warnings[0] == NOTE


def test_what_libraries_say_is_heard_and_their_loggers_are_as_before(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [(x.handlers[:], x.level, x.propagate) for x in map(logging.getLogger, LOGGERS)]
    logger = logging.getLogger("transformers.some.module")
    with caplog.at_level(logging.DEBUG, "mitool"), listening() as heard:
        logger.warning("odd %s", "value")
        logger.info("chatter")
        logging.warning("from the root")
        warnings.warn("old field", UserWarning, stacklevel=1)
        warnings.warn("an old name", FutureWarning, stacklevel=1)
        logger.warning("LlamaForCausalLM LOAD REPORT from: ..")
        sys.stdout.write("Loading weights: 100%\n")
    assert heard == ["odd value", "from the root", "UserWarning: old field"]
    assert capsys.readouterr() == ("", "")
    for text in ("odd value", "FutureWarning: an old name", "LOAD REPORT", "Loading weights: 100%"):
        assert text in caplog.text
    assert before == [
        (x.handlers[:], x.level, x.propagate) for x in map(logging.getLogger, LOGGERS)
    ]


def test_a_warning_of_a_library_is_a_note(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def warned(*arguments: Any) -> object:
        logging.getLogger("transformers.models").warning("the rope\nlooks odd")
        return read_description(*arguments)

    monkeypatch.setattr("mitool.models.pretrained.loading.read_description", warned)
    assert load_pretrained(llama).notes == (
        "a library warns while the model is read: the rope looks odd",
    )


def test_debug_shows_all_that_libraries_say(invoke: Invoke, llama: Path) -> None:
    (llama / "model.safetensors").write_bytes(b"\xff" * 99)
    quiet = invoke("analyze", "attn", "llama")
    assert quiet.exit_code == 3
    assert len(quiet.stderr.splitlines()) == 1
    shown = invoke("analyze", "attn", "llama", "--debug")
    assert "Traceback" in shown.stderr
    assert "SafetensorError" in shown.stderr
    torch.save({"lm_head.weight": torch.zeros(32, 16)} | MORE, llama / "pytorch_model.bin")
    (llama / "model.safetensors").unlink()
    shown = invoke("analyze", "attn", "llama", "--debug")
    assert "mitool.models.pretrained.listening: " in shown.stderr
    assert "LOAD REPORT" in shown.stderr
    assert logging.getLogger("mitool").handlers == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("one.\ntwo  three.", "one. two three"),
        ("", "ValueError"),
        ("of <class 'a.b.C'> and <a.D object at 0x7f>", "of a.b.C and a.D"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("bad size\nException raised from f at g.h:1\nframe #0: c10::Error", "bad size"),
    ],
)
def test_what_a_library_said_is_one_line(text: str, found: str) -> None:
    assert said(ValueError(text)) == found


def test_what_a_library_said_is_cut_between_words() -> None:
    found = said(ValueError("word " * 1000))
    assert found.endswith("word .. (all 4,999 characters: --debug)")
    assert len(found) < 450
