"""``mitool sweep`` on this machine."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from typer.testing import CliRunner

from mitool.cli.main import app
from tests.cli import sweeps
from tests.cli.conftest import Invoke
from tests.cli.sweeps import DIVERGES, LONG, POINTS, TINY, holder, n_saved, weights

SMALL = ["sweep", TINY.replace(" --p 5", ""), "--grid", "p=5,7", "--format", "html", "-o", "s"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of six points and one that diverges."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "grid.json").write_text(json.dumps([*POINTS, DIVERGES]))
    grid = ["--grid-file", str(folder / "grid.json"), "--threads", "1", "--format", "html"]
    base = TINY.replace(" --p 5", "")
    done = CliRunner().invoke(app, ["sweep", base, *grid, "-o", str(folder / "s"), "--json"])
    assert done.exit_code == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    return folder


def test_a_point_that_diverges_is_reported_and_the_others_finish(swept: Path) -> None:
    document = json.loads((swept / "stdout").read_text())
    assert sweeps.result(swept / "s") | {"checks": []} == document
    claims = document["claims"]
    assert (claims["points"], claims["done"], claims["failed"]) == (7, 6, 1)
    assert claims["epochs"] == [20] * 6 + [None]
    assert all(loss > 0 for loss in claims["test_loss"][:6])
    (failure,) = [text for text in document["warnings"] if "failed" in text]
    assert "exit code 1" in failure
    assert "training diverged" in failure
    assert failure in (swept / "stderr").read_text()
    assert "training diverged" in (swept / "s" / "report.html").read_text()
    rows = pd.read_parquet(swept / "s" / "points.parquet")
    assert list(rows["status"]) == ["done"] * 6 + ["failed"]
    assert list(rows["p"]) == [5, 5, 7, 7, 11, 11, 5]
    assert list(rows["test_loss"][:6]) == claims["test_loss"][:6]


def test_a_point_is_the_run_that_its_command_gives(swept: Path, invoke: Invoke) -> None:
    command = TINY.replace("--p 5", "--p 7").split()
    assert invoke(*command, "--seed", "1", "--threads", "1", "-o", "r").exit_code == 0
    assert Path("r/ckpt.safetensors").read_bytes() == weights(swept / "s")["p7-seed1"]
    page = (swept / "s/points/p7-seed1/report.html").read_text()
    assert "mitool train modadd --epochs 20" in page


def test_the_points_share_out_the_cores(swept: Path) -> None:
    for folder in (swept / "s/points").glob("p*"):
        assert json.loads((folder / "config.json").read_text())["device"]["threads"] == 1
    cores = len(os.sched_getaffinity(0))
    done = CliRunner().invoke(app, [*SMALL, "--jobs", str(cores), "--threads", "2"])
    assert done.exit_code == 2
    assert f"expected at most {cores} threads" in done.stderr


def test_metrics_of_all_points_are_in_one_table(swept: Path) -> None:
    rows = pd.read_csv(swept / "s" / "metrics.csv")
    lines = (swept / "s/points/p11-seed1/metrics.jsonl").read_text().splitlines()
    own = rows[rows["name"] == "p11-seed1"]
    assert list(own["epoch"]) == [json.loads(line)["epoch"] for line in lines] == [0, 20]
    assert set(own["p"]) == {11}
    last = json.loads(lines[-1])
    assert own["weight_norms.embed.W_E"].iloc[-1] == last["weight_norms"]["embed.W_E"]


def test_resume_runs_what_is_missing_or_failed_of_a_grid_that_may_grow(invoke: Invoke) -> None:
    small = [*SMALL, "--metric", "test_loss"]
    assert invoke(*small).exit_code == 0
    before = weights(Path("s"))
    written = Path("s/points/p5/result.json").stat().st_mtime_ns
    assert invoke(*small).exit_code == 2
    Path("s/points/p7/result.json").unlink()
    larger = [word.replace("p=5,7", "p=7,5,3") for word in small]
    done = invoke(*larger, "--resume")
    assert done.exit_code == 0, done.stderr
    assert "1 of 3 points are done already" in done.stderr
    assert Path("s/points/p5/result.json").stat().st_mtime_ns == written
    assert {name: weights(Path("s"))[name] for name in before} == before
    assert sweeps.result(Path("s"))["claims"]["done"] == 3
    smaller = [word.replace("p=5,7", "p=7") for word in small]
    less = invoke(*smaller, "--resume")
    assert "2 points that the folder holds are not of this grid" in less.stderr
    assert sweeps.result(Path("s"))["claims"]["points"] == 1
    assert "3 of 3 points are done already" in invoke(*larger, "--resume").stderr
    other = [word.replace("--epochs 20", "--epochs 21") for word in small]
    refused = invoke(*other, "--resume")
    assert refused.exit_code == 2
    assert "command was train modadd --epochs 20" in refused.stderr
    assert "asked train modadd --epochs 21" in refused.stderr
    (Path("s/points/p5") / "notes.txt").write_text("mine")
    assert invoke(*other, "--overwrite", "-q").exit_code == 0
    assert sorted(path.name for path in Path("s/points").iterdir()) == ["p5", "p7"]
    assert Path("s/points/p5/notes.txt").read_text() == "mine"
    assert sweeps.result(Path("s"))["claims"]["epochs"] == [21, 21]


def test_a_sweep_of_which_all_fails_fails(invoke: Invoke) -> None:
    base = f"{TINY} --lr 1000 --optimizer sgd"
    gate = ["--check", "failed == 0"]  # which is not what ends it
    done = invoke("sweep", base, "--grid", "seed=0", "--format", "html", "-o", "s", *gate)
    assert done.exit_code == 1
    assert "seed0 failed (exit code 1): the loss is no finite number" in done.stderr
    assert "all 1 points failed" in done.stderr
    assert sweeps.result(Path("s"))["claims"]["failed"] == 1


def test_superposition_is_swept_too_and_a_check_gates(invoke: Invoke) -> None:
    base = "superpose intro --steps 4 --batch-size 8 --n-instances 1 --sparsity 0.5"
    grid = ["--grid", "seed=0:2", "--format", "html", "-q"]
    done = invoke("sweep", base, *grid, "-o", "s", "--check", "loss > 0", "--check", "failed == 1")
    assert done.exit_code == 4
    assert "failed == 1 (it is 0)" in done.stderr
    assert len(sweeps.result(Path("s"))["claims"]["loss"]) == 2


def test_of_claims_that_are_lists_the_means_are_compared(invoke: Invoke) -> None:
    base = "superpose intro --steps 4 --batch-size 8 --n-instances 3"
    done = invoke("sweep", base, "--grid", "seed=0:2", "--format", "html", "-o", "s")
    assert done.exit_code == 0, done.stderr
    claims: Any = sweeps.result(Path("s"))["claims"]
    for index, loss in enumerate(claims["loss.mean"]):
        point: Any = json.loads(Path(f"s/points/seed{index}/result.json").read_text())
        assert loss == pytest.approx(sum(point["claims"]["loss"]) / 3)
    assert "loss.mean" in done.stdout
    assert "at all points: sparsity.mean 0.575464" in done.stdout


@pytest.mark.parametrize("option", [["--check", "bogus > 1"], ["--metric", "bogus"]])
def test_unknown_claims_end_a_sweep_at_its_first_point(invoke: Invoke, option: list[str]) -> None:
    done = invoke(*SMALL, "--jobs", "1", *option)
    assert done.exit_code == 2
    assert "no claim is named 'bogus'" in done.stderr
    assert not Path("s/points/p7/result.json").exists()
    assert invoke(*SMALL, "--resume").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train modad", "--grid", "p=5"], "did you mean 'modadd'"),
        (["superpose intr", "--grid", "seed=0"], "did you mean 'intro'"),
        (["patch run", "--grid", "p=5"], "expected 'train TASK' or 'superpose EXPERIMENT'"),
        (["train 'modadd", "--grid", "p=5"], "No closing quotation"),
        (["train modadd --help", "--grid", "p=5"], "expected 'train TASK'"),
        (["train modadd --seeds 0-2", "--grid", "p=5"], "give --grid seed=0:3"),
        (["train modadd -o x", "--grid", "p=5"], "--out has no place here"),
        (["superpose intro --from x", "--grid", "seed=0"], "--from has no place here"),
        (
            ["train modadd --epoch 3", "--grid", "p=5"],
            "no option --epoch: did you mean",
        ),
        (["train modadd --p 5", "--grid", "p=5"], "--p is given in the command and as an axis"),
        (["train modadd", "--grid", "epoch=5"], "did you mean '--epochs'"),
        (["train modadd", "--grid", "threads=1"], "is no setting of a point"),
        (["train modadd", "--grid", "p=5,1"], "p = 1: p: expected 2 <= p <= 65536, found 1"),
        (["train modadd", "--grid", "p=5,x"], "p = x: --p: expected a whole number, found 'x'"),
        (["train modadd", "--grid", "op=add,divide"], "op = divide"),
        (["train modadd --n-heads 4", "--grid", "d-model=8,9"], "multiple of n_heads = 4, found 9"),
        (["train modadd", "--grid", "stop-on-grok=yes"], "expected true or false, found 'yes'"),
        (["train modadd --device tpu", "--grid", "p=5"], "p5: device: expected auto"),
        (["train modadd --format pdf", "--grid", "p=5"], "expected some of html, png"),
        (["superpose intro", "--grid", "n-hidden=0"], "1 <= n_hidden"),
        (["train modadd"], "expected --grid OPTION=VALUES or --grid-file FILE"),
        (["train modadd", "--grid", "p=5", "--grid-file", "x.json"], "one of the two"),
        (["train modadd", "--grid", "p=5", "--gpus-per-point", "1"], "is for --ray"),
        (["train modadd", "--grid", "p=5", "--ray", "auto", "--jobs", "1"], "leave it out"),
        (
            ["train modadd", "--grid", "p=5", "--ray", "head:x"],
            "expected auto, HOST:PORT or ray://",
        ),
        (["train modadd", "--grid", "p=0:END:2"], "p = 0:END:2: --p: expected a whole number"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_swept_is_refused_before_anything_is_trained(
    invoke: Invoke, arguments: list[str], message: str
) -> None:
    done = invoke("sweep", *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert done.stderr.count("Error") == 1
    assert list(Path().iterdir()) == []


def test_a_script_that_sweeps_is_not_run_again_in_each_process(tmp_path: Path) -> None:
    lines = ["from mitool.cli.main import app", "print('loaded', flush=True)", f"app({SMALL!r})"]
    (tmp_path / "script.py").write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("loaded") == 1
    assert sweeps.result(tmp_path / "s")["claims"]["done"] == 2


def test_true_and_false_are_a_flag_and_its_opposite(invoke: Invoke) -> None:
    done = invoke("sweep", TINY, "--grid", "attn-only=true,false", "--format", "html", "-o", "s")
    assert done.exit_code == 0, done.stderr
    for value in (True, False):
        name = f"attn_only_{str(value).lower()}"
        config = json.loads(Path(f"s/points/{name}/config.json").read_text())
        assert config["model"]["attn_only"] is value


@pytest.mark.long
def test_a_sweep_that_is_stopped_leaves_no_process_and_goes_on_to_the_same_weights(
    tmp_path: Path, invoke: Invoke
) -> None:
    arguments = [LONG, "--grid", "seed=0", "--threads", "1", "--format", "html", "-o", "s"]
    child = sweeps.start(tmp_path, *arguments)
    run = _under_way(tmp_path, child)
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in stderr
    assert "interrupted after 0 of 1 points" in stderr
    assert "--resume goes on" in stderr
    assert not run.is_running()

    child = sweeps.start(tmp_path, *arguments, "--resume")
    run = _under_way(tmp_path, child)
    child.kill()
    child.communicate(timeout=60)
    done = invoke("sweep", *arguments, "--resume")
    assert done.exit_code == 0, done.stderr
    assert not psutil.pid_exists(run.pid) or not run.is_running()
    assert "interrupted after epoch" not in done.stderr
    assert invoke(*LONG.split(), "--threads", "1", "--format", "html", "-o", "r").exit_code == 0
    assert weights(Path("s")) == {"seed0": Path("r/ckpt.safetensors").read_bytes()}


def _under_way(folder: Path, sweep: subprocess.Popen[str]) -> psutil.Process:
    """The process of the point with seed 0, once it has saved something."""
    run, log = folder / "s" / "points" / "seed0", folder / "s" / "logs" / "seed0.log"
    before = n_saved(run)
    sweeps.wait_for(lambda: n_saved(run) > before + 3, sweep)
    process = holder(log)
    assert process is not None
    return process


def test_a_point_that_the_system_kills_is_a_failed_point(tmp_path: Path) -> None:
    arguments = [LONG, "--grid", "epochs=1500,20", "--jobs", "1", "--format", "html", "-o", "s"]
    arguments[0] = LONG.replace(" --epochs 1500", "")
    child = sweeps.start(tmp_path, *arguments)
    sweeps.wait_for(lambda: n_saved(tmp_path / "s/points/epochs1500") > 3, child)
    run = holder(tmp_path / "s/logs/epochs1500.log")
    assert run is not None
    run.kill()
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "epochs1500 failed (exit code -9): killed by SIGKILL" in stderr
    assert sweeps.result(tmp_path / "s")["claims"]["epochs"] == [None, 20]


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    line = f"{sys.executable} -m mitool {' '.join(map(repr, SMALL))} | true"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "2/2 p" in done.stderr
    assert "\x1b" not in done.stderr
