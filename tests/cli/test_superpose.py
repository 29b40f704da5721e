"""``mitool superpose`` on the command line."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mitool.settings.superposition import PRESETS
from tests.cli.conftest import Invoke, mitool

QUICK = [
    *("--steps", "4", "--batch-size", "8", "--n-instances", "2", "--sparsity", "0,0.9"),
    *("--format", "html", "--threads", "1"),
]
INTRO = ["superpose", "intro", *QUICK, "-o", "run"]


@pytest.mark.parametrize("name", PRESETS)
def test_every_experiment_leaves_a_run_and_its_report(invoke: Invoke, name: str) -> None:
    done = invoke("superpose", name, *QUICK, "--json")
    assert done.exit_code == 0, done.stderr
    envelope = json.loads(done.stdout)
    folder = Path(envelope["subject"]["run"])
    assert folder == Path("runs") / f"superpose-{name}-{folder.name.partition(name + '-')[2]}"
    assert folder.name.endswith("seed0")
    for file in ("ckpt.safetensors", "report.html", "arrays.safetensors", "result.json"):
        assert (folder / file).is_file()
    assert envelope["command"] == f"superpose {name}"
    assert envelope["config"]["training"]["steps"] == 4
    assert json.loads((folder / "result.json").read_text())["claims"] == envelope["claims"]


def test_a_list_says_how_many_models_and_features_there_are(invoke: Invoke) -> None:
    words = ["--steps", "4", "--batch-size", "8", "--format", "html", "--json"]
    lists = ["--sparsity", "0,0.5,0.99", "--importance", "1,0.5,0.2,0.1"]
    done = invoke("superpose", "intro", *words, *lists, "-o", "run")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["claims"]["sparsity"] == pytest.approx([0, 0.5, 0.99])
    model = json.loads(Path("run/config.json").read_text())["model"]
    assert (model["n_instances"], model["n_features"], model["n_hidden"]) == (3, 4, 2)
    same = ["--n-instances", "3", "--n-features", "4"]
    assert invoke("superpose", "intro", *words, *lists, *same, "-o", "same").exit_code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["intro", "--n-instances", "4", "--sparsity", "0,0.5"],
            "--n-instances 4 and --sparsity '0,0.5': expected a list of as many values, found 2",
        ),
        (
            ["intro", "--n-features", "5", "--importance", "1,2,3"],
            "--n-features 5 and --importance '1,2,3': expected a list of as many values, found 3",
        ),
        (
            ["phase", "--n-instances", "3", "--importance", "0.1,1"],
            "--n-instances 3 and --importance '0.1,1': expected a list of as many values, found 2",
        ),
        (["norms", "--importance", "1,2,3"], "a list of importances) and n_hidden: expected both"),
    ],
)
def test_a_number_that_is_not_the_one_of_a_list_is_refused(
    invoke: Invoke, options: list[str], said: str
) -> None:
    refused = invoke("superpose", *options, "-o", "run")
    assert refused.exit_code == 2
    assert said in " ".join(refused.stderr.split())
    assert not Path("run").exists()


def test_a_run_is_redrawn_by_another_experiment_beside_its_checkpoint(invoke: Invoke) -> None:
    first = json.loads(invoke(*INTRO, "--json").stdout)
    done = invoke("superpose", "norms", "--from", "run", "--format", "html", "--json")
    assert done.exit_code == 0, done.stderr
    drawn = json.loads(done.stdout)
    assert drawn["claims"]["loss"] == first["claims"]["loss"]
    assert Path("run/norms/report.html").is_file()
    assert invoke("superpose", "norms", "--from", "run", "--format", "html").exit_code == 2


def test_inspect_shows_the_models(invoke: Invoke) -> None:
    invoke(*INTRO)
    shown = json.loads(invoke("inspect", "run", "--json").stdout)
    assert shown["claims"]["kind"] == "superposition"
    assert shown["claims"]["experiment"] == "intro"
    assert shown["claims"]["trained_weights"] == 2 * (2 * 5 + 5)
    assert shown["subject"]["weights"]["W"]["shape"] == [2, 2, 5]
    assert not shown["subject"]["weights"]["importance"]["trained"]
    assert "features" in invoke("inspect", "run").stdout


def test_a_run_is_not_overwritten_and_goes_on(invoke: Invoke) -> None:
    invoke(*INTRO)
    refused = invoke(*INTRO)
    assert refused.exit_code == 2
    assert "--resume" in refused.stderr
    longer = invoke(*INTRO, "--steps", "6", "--resume", "--json")
    assert longer.exit_code == 0, longer.stderr
    assert json.loads(longer.stdout)["config"]["training"]["steps"] == 6
    assert invoke(*INTRO, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["intro", "--importance", "fast"],
            2,
            "a list such as 1,0.5,0.2 or 1, found 'fast'",
        ),
        (["intro", "--sparsity", "0..1"], 2, "0 <= S < 1"),
        (["intro", "--activation", "gelu"], 2, "--activation: expected one of"),
        (["phase", "--n-features", "9", "--n-hidden", "2"], 2, "expected 2 in 1 or 3 in 2"),
        (["norms", "--n-features", "9"], 2, "expected both or neither"),
        (["intro", "--from", "none"], 3, "no such file"),
        (["intro", "--from", "run", "--steps", "9"], 2, "cannot be given with --steps"),
        (["intro", "--from", "run", "--resume"], 2, "cannot be given with --resume"),
        (["intro", "--from", "run", "--seed", "3"], 2, "cannot be given with --seed"),
        (["intro", "--from", "run", "--threads", "999"], 2, "threads: expected 1 to"),
        (["intro", "--from", "run", "--device", "gpu"], 2, "device: expected auto, cpu"),
        (["intro", "--from", "run", "--device", "cuda:99"], 1, "is not there"),
        (["mono", "--from", "run", "--threads", "999"], 2, "threads: expected 1 to"),
        (["intro", "--n-hidden", "3"], 2, "expected 2 hidden dimensions"),
        (["intro", "--check", "nope > 1"], 2, "no claim is named 'nope'"),
        (["phase", "--from", "run"], 3, "expected a grid of sparsities"),
        (["intro", "--check", "loss < 1"], 2, "already holds a run"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_message(
    invoke: Invoke, arguments: list[str], code: int, message: str
) -> None:
    invoke(*INTRO)
    name, *options = arguments
    where = [] if "--from" in options else ["-o", "run"]
    done = invoke("superpose", name, *options, *where)
    assert done.exit_code == code
    assert message in " ".join(done.stderr.split())
    assert done.stderr.count("Error") == 1


def test_checks_hold_a_list_of_models(invoke: Invoke) -> None:
    assert invoke(*INTRO, "--check", "loss >= 0", "--check", "angles.* >= 0").exit_code == 0
    failed = invoke("superpose", "intro", "--from", "run", "--check", "features_represented > 99")
    assert failed.exit_code == 4


def test_other_commands_say_what_draws_such_a_checkpoint(invoke: Invoke) -> None:
    invoke(*INTRO)
    for command in (["analyze", "attn"], ["analyze", "fourier"], ["patch"]):
        refused = invoke(*command, "run")
        assert refused.exit_code == 3
        assert "mitool superpose draws it" in " ".join(refused.stderr.split())


def test_progress_is_on_stderr_and_quiet_has_none(invoke: Invoke) -> None:
    done = invoke(*INTRO, "--json")
    assert json.loads(done.stdout)["claims"]["loss"]
    assert "writing run/report.html" in done.stderr
    quiet = invoke("superpose", "intro", *QUICK, "-o", "other", "--quiet")
    assert quiet.exit_code == 0
    assert quiet.stderr == ""
    assert "…" not in quiet.stdout
    grid = ["--n-instances", "6", "--sparsity", "0..0.9", "-q"]
    long = invoke("superpose", "phase", *QUICK, *grid)
    assert "… (36 in all)" in long.stdout


def test_ctrl_c_saves_and_the_run_goes_on(tmp_path: Path) -> None:
    arguments = ["superpose", "intro", "--steps", "2000000", "--format", "html", "-o", "run"]
    child = subprocess.Popen(mitool(arguments), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "run" / "resume.safetensors").exists():
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(child.pid, signal.SIGINT)
    assert child.stderr is not None
    message = child.stderr.read()
    assert child.wait() == 130
    assert "--resume goes on" in " ".join(message.split())
    metrics = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(metrics[-1])["step"] > 0
