"""An interruption while a report is written says what is kept, and how to go on."""

import os
import signal
from pathlib import Path

import pytest

from mitool.report import Formats
from tests.cli.conftest import QUICK, Invoke

MADE_WITH_RESUME = {
    "train": ["train", "modadd", *QUICK],
    "seeds": ["train", "modadd", *QUICK, "--seeds", "0,1"],
    "superpose": ["superpose", "intro", "--steps", "20", "--format", "html"],
    "mono": ["superpose", "mono", "--log2-training-steps", "3", "--format", "html"],
}
STUDIES = {
    "patch": ["patch", "run", "--n-pairs", "4", "--resamples", "100", "--format", "html"],
    "fourier": ["analyze", "fourier", "run", "--format", "html"],
}


def interrupt_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Formats, "write", write)


@pytest.mark.parametrize("name", MADE_WITH_RESUME)
def test_what_was_trained_is_kept(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    words = [*MADE_WITH_RESUME[name], "-o", "out"]
    with monkeypatch.context() as patched:
        interrupt_reports(patched)
        done = invoke(*words)
    assert done.exit_code == 130
    place = "out/seed0" if name == "seeds" else "out"
    assert done.stderr.endswith(
        f"Error: interrupted by SIGINT while writing the report: everything else is in {place}; "
        "run the same command with --resume to write it\n"
    )
    assert invoke(*words, "--resume").exit_code == 0
    assert (Path("out") / "report.html").exists()


@pytest.mark.parametrize("name", STUDIES)
def test_of_a_study_nothing_is_kept(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert invoke("train", "modadd", *QUICK, "-o", "run").exit_code == 0
    with monkeypatch.context() as patched:
        interrupt_reports(patched)
        done = invoke(*STUDIES[name])
    assert done.exit_code == 130
    assert "while writing the report: the result is not kept; run the same command" in done.stderr
    assert not (Path("run") / name).exists()
    assert invoke(*STUDIES[name]).exit_code == 0
