"""``mitool report``: the index of a run, from its results to its removal with the run."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import QUICK, Invoke
from tests.results import leave

HTML = ("--format", "html")


def test_the_index_of_a_run_has_the_story_and_goes_with_the_run(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["train", "modadd", *QUICK, "-o", "run"]
    monkeypatch.setattr(sys, "argv", ["mitool", *typed])
    invoke(*typed)
    trained = Path("run/result.json").read_text()
    assert json.loads(trained)["command_line"] == f"mitool {' '.join(typed)}"
    assert json.loads(trained)["report"]["title"].startswith("Training of modadd (p = 5")
    invoke("analyze", "attn", "run", *HTML, "-o", "run/any name")
    done = invoke("report", "run", "--json", "--check", "n_reports == 2")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["claims"] == {
        "n_results": 2,
        "n_reports": 2,
        "n_outdated": 0,
        "n_unread": 0,
        "kinds": ["train", "analyze attn"],
        "missing": ["mitool analyze fourier run", "mitool patch run", "mitool analyze circuit run"],
    }
    assert document["artifacts"] == ["run/index.html"]
    page = Path("run/index.html").read_text()
    assert f"mitool {' '.join(typed)}" in page
    assert 'href="any%20name/report.html"' in page
    assert Path("run/result.json").read_text() == trained

    longer = [word if word != "6" else "8" for word in typed]
    assert invoke(*longer, "--overwrite").exit_code == 0
    assert not Path("run/index.html").exists()
    again = invoke("report", "run")
    assert "report  run/index.html" in again.stdout
    shown = Path("run/index.html").read_text()
    assert "the checkpoint has been replaced since (epoch 6 then, 8 now)" in shown
    assert invoke("report", "run", "--check", "n_outdated == 0").exit_code == 4
    assert invoke(*longer, "--resume").exit_code == 0
    assert Path("run/index.html").exists()


def test_the_index_of_a_folder_that_cannot_be_written_goes_elsewhere(invoke: Invoke) -> None:
    leave(Path("shared/run"), "train", task="modadd")
    done = invoke("report", "shared/run", "--out", "mine/pages")
    assert done.exit_code == 0, done.stderr
    assert not Path("shared/run/index.html").exists()
    links = re.findall('href="([^"#]+result.json)"', Path("mine/pages/index.html").read_text())
    assert links == ["../../shared/run/result.json"]
    assert (Path("mine/pages") / links[0]).exists()
    Path("file").write_text("")
    refused = invoke("report", "shared/run", "--out", "file")
    assert refused.exit_code == 2
    assert "expected a folder to write to, found the file file" in refused.stderr


def test_a_folder_without_results_gives_exit_3(invoke: Invoke) -> None:
    Path("empty").mkdir()
    done = invoke("report", "empty")
    assert done.exit_code == 3
    assert "Error: empty: expected results of mitool (result.json) here or below" in done.stderr
    assert list(Path("empty").iterdir()) == []


def test_what_is_no_result_is_one_warning_each(invoke: Invoke) -> None:
    leave(Path("run"), "patch")
    for name, text in (("damaged", "{"), ("foreign", "{}")):
        Path("run", name).mkdir()
        Path("run", name, "result.json").write_text(text)
    done = invoke("report", "run")
    assert done.exit_code == 0
    assert done.stderr.count("Warning: left out: run/") == 2


def test_a_page_of_somebody_elses_is_left_alone(invoke: Invoke) -> None:
    leave(Path("run"), "patch")
    Path("run/index.html").write_text("mine")
    done = invoke("report", "run")
    assert done.exit_code == 2
    assert "is no index of mitool's; move it away" in done.stderr
    assert Path("run/index.html").read_text() == "mine"
