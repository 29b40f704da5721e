"""``mitool analyze fourier`` by its command line."""

import json
from pathlib import Path

import pytest
import torch

from mitool.analysis.fourier import analyze_fourier, claim_names
from mitool.core.errors import Interrupted
from mitool.models.subject import load
from mitool.storage import checkpoint
from mitool.tasks.modadd import ModAdd
from tests.analysis.fourier.handset import subject_of, trig_model
from tests.cli.conftest import QUICK, Invoke

TERMS = {1: (1.0, 9.0), 2: (1.0, 8.0), 5: (1.0, 7.0)}


@pytest.fixture
def grokked(tmp_path: Path) -> Path:
    """A checkpoint of a model that is set by hand to add modulo 11."""
    task = ModAdd(p=11)
    subject = subject_of(trig_model(task, TERMS), task)
    path = tmp_path / "set.safetensors"
    checkpoint.save(path, subject.model.state_dict(), subject.metadata)
    return path


def test_a_grokked_checkpoint_ends_with_its_formula(invoke: Invoke, grokked: Path) -> None:
    done = invoke("analyze", "fourier", "set.safetensors", "--format", "html")
    assert done.exit_code == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert first.startswith("logit(c | a, b) = 9 cos(w(a + b - c)) + 8 cos(2w(a + b - c))")
    assert "agrees with the model on 100.00% of 121 pairs, explains 100.0% of" in first
    assert first.endswith("and is itself right on 100%")
    folder = Path("set-fourier")
    algorithm = json.loads((folder / "algorithm.json").read_text())
    assert [term["frequency"] for term in algorithm["terms"]] == [1, 2, 5]
    assert [term["coefficient"] for term in algorithm["terms"]] == pytest.approx([9, 8, 7])
    assert algorithm["accuracy"] == 1.0
    assert "Fourier analysis of addition modulo 11" in (folder / "report.html").read_text()
    arrays, _ = checkpoint.read_tensors(folder / "arrays.safetensors")
    torch.testing.assert_close(
        arrays["logit_coefficients"], torch.tensor([9.0, 8, 0, 0, 7]).double(), atol=1e-6, rtol=0
    )


def test_json_holds_the_claims_of_the_library(invoke: Invoke, grokked: Path) -> None:
    done = invoke("analyze", "fourier", "set.safetensors", "--format", "html", "--json", "-o", "x")
    document = json.loads(done.stdout)
    assert document["command"] == "analyze fourier"
    assert document["claims"] == dict(analyze_fourier(load(grokked)).claims)
    assert json.loads(Path("x/result.json").read_text())["claims"] == document["claims"]
    assert {Path(path).name for path in document["artifacts"]} == {
        "algorithm.json",
        "arrays.safetensors",
        "report.html",
    }


def test_an_analysis_is_not_overwritten_silently(invoke: Invoke, grokked: Path) -> None:
    command = ("analyze", "fourier", "set.safetensors", "--format", "html")
    assert invoke(*command).exit_code == 0
    Path("set-fourier/notes.txt").write_text("mine")
    before = Path("set-fourier/result.json").read_text()
    again = invoke(*command)
    assert again.exit_code == 2
    assert "already holds a result; replace it with --overwrite" in again.stderr
    assert Path("set-fourier/result.json").read_text() == before
    assert invoke(*command, "--overwrite", "--threshold", "0.3").exit_code == 0
    assert Path("set-fourier/result.json").read_text() != before
    assert Path("set-fourier/notes.txt").read_text() == "mine"


def test_a_run_is_followed_through_its_checkpoints(invoke: Invoke) -> None:
    invoke("train", "modadd", *QUICK, "--eval-every", "2", "--checkpoint-every", "2", "-o", "run")
    options = ("--checkpoints", "all", "--threshold", "1e-9", "--format", "html", "--json")
    done = invoke("analyze", "fourier", "run", *options)
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["subject"]["checkpoints"] == 4
    progress = json.loads(Path("run/fourier/progress.json").read_text())["checkpoints"]
    assert [measures["epoch"] for measures in progress] == [0, 2, 4, 6]
    claims = document["claims"]
    assert progress[-1]["restricted"]["all"] == pytest.approx(claims["restricted_loss_all"])
    assert progress[-1]["gini_embedding"] == pytest.approx(claims["gini_embedding"])
    metrics = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    for measured, logged in zip(progress, metrics, strict=True):
        assert measured["loss"]["test"] == pytest.approx(logged["test_loss"], rel=1e-4)
    assert {"memorisation_end", "circuit_formation_end", "cleanup_end"} <= set(document["claims"])
    page = Path("run/fourier/report.html").read_text()
    for name in ("progress_losses", "progress_excluded", "progress_gini", "progress_ideal"):
        assert f'id="figure-{name}"' in page
    middle = invoke("analyze", "fourier", "run/checkpoints/00000002.safetensors", *options[2:])
    assert middle.exit_code == 0
    assert Path("run/fourier-00000002/result.json").exists()
    assert invoke("inspect", "run").exit_code == 0


def test_what_cannot_be_analysed_is_refused(invoke: Invoke, grokked: Path) -> None:
    invoke("train", "min", "--max-value", "3", *QUICK[2:], "-o", "other")
    refused = invoke("analyze", "fourier", "other")
    assert refused.exit_code == 3
    assert "task min" in refused.stderr
    assert not Path("other/fourier").exists()
    invoke("train", "modadd", "--op", "multiply", "--p", "6", *QUICK[2:], "-o", "composite")
    refused = invoke("analyze", "fourier", "composite")
    assert refused.exit_code == 2
    assert "prime p >= 3" in refused.stderr
    assert invoke("analyze", "fourier", "nowhere").exit_code == 3
    for bad in ("0", "1", "-1"):
        refused = invoke("analyze", "fourier", "set.safetensors", "--threshold", bad)
        assert refused.exit_code == 2
        assert "0 < threshold < 1" in refused.stderr.replace("0.0", "0").replace("1.0", "1")
    refused = invoke("analyze", "fourier", "set.safetensors", "--checkpoints", "all")
    assert refused.exit_code == 3
    assert "expected the checkpoints of a run" in refused.stderr


def test_a_check_of_no_claim_is_refused_before_the_work(
    invoke: Invoke, grokked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def observed(*arguments: object) -> None:
        pytest.fail("the model was run")

    with monkeypatch.context() as patched:
        patched.setattr("mitool.analysis.fourier.study.observe", observed)
        done = invoke("analyze", "fourier", "set.safetensors", "--check", "acuracy_all > 1")
        ends = invoke("analyze", "fourier", "set.safetensors", "--check", "cleanup_end > 1")
    assert (done.exit_code, ends.exit_code) == (2, 2)
    assert "no claim is named 'acuracy_all': did you mean 'accuracy_all'" in done.stderr
    assert "no claim is named 'cleanup_end'" in ends.stderr  # of checkpoints that are followed
    assert not Path("set-fourier").exists()


def test_the_claims_are_those_that_were_announced(invoke: Invoke, grokked: Path) -> None:
    assert [*analyze_fourier(load(grokked)).claims] == claim_names(follows=False)
    assert invoke("train", "modadd", *QUICK, "--checkpoint-every", "3", "-o", "run").exit_code == 0
    followed = analyze_fourier(load("run"), checkpoints=checkpoint.trajectory(Path("run")))
    assert [*followed.claims] == claim_names(follows=True)


def test_a_check_is_a_gate(invoke: Invoke, grokked: Path) -> None:
    command = ("analyze", "fourier", "set.safetensors", "--format", "html", "-o")
    good = ("--check", "formula_accuracy == 1", "--check", "logit_variance_explained >= 0.95")
    assert invoke(*command, "a", *good).exit_code == 0
    assert invoke(*command, "b", "--check", "accuracy_without_key_frequencies > 0.9").exit_code == 4


@pytest.mark.parametrize("overwrite", [True, False])
def test_an_interrupted_analysis_leaves_a_folder_that_can_be_used_again(
    invoke: Invoke, grokked: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    command = ["analyze", "fourier", "set.safetensors", "--format", "html"]
    folder = Path("set-fourier")
    if overwrite:
        assert invoke(*command).exit_code == 0
        command += ["--overwrite"]
    before = {path: path.read_bytes() for path in folder.glob("[a-z]*.*")}

    def interrupt(*_: object, **__: object) -> None:
        raise Interrupted("interrupted by SIGINT", 2)

    with monkeypatch.context() as patched:  # while it measures: what was there is still there
        patched.setattr("mitool.analysis.fourier.study.fit_cosines", interrupt)
        assert invoke(*command).exit_code == 130
    assert {path: path.read_bytes() for path in folder.glob("[a-z]*.*")} == before
    with monkeypatch.context() as patched:  # while it writes
        patched.setattr("mitool.report.formats.write_report", interrupt)
        assert invoke(*command).exit_code == 130
    assert invoke(*command[:5], "--overwrite").exit_code == 0
    assert (folder / "report.html").exists()
