"""``mitool sweep --ray`` on a Ray cluster of this machine, which the tests start."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli import sweeps
from tests.cli.conftest import Invoke
from tests.cli.sweeps import DIVERGES, LONG, POINTS, TINY, holder, n_saved, weights

pytest.importorskip("ray")
pytestmark = pytest.mark.long

SECONDS_TO_START = 90
RAY = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    """A cluster with 2 CPUs; the environment in which ``auto`` finds it."""
    # the paths of its sockets may have no more than about a hundred letters
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--head", "--block", "--num-cpus=2", f"--port={port}", f"--temp-dir={folder}"]
    options += ["--include-dashboard=false", "--disable-usage-stats", "--node-ip-address=127.0.0.1"]
    options += [f"--object-store-memory={100 * 2**20}"]
    log = Path(folder) / "start.log"
    with log.open("w") as out:
        ray = subprocess.Popen(
            [sys.executable, "-c", RAY, "start", *options], stdout=out, stderr=out
        )
    try:
        sweeps.wait_for(lambda: "Ray runtime started" in log.read_text(), ray)
        yield {**os.environ, "RAY_ADDRESS": f"127.0.0.1:{port}"}
    finally:
        own = psutil.Process(ray.pid)
        started = [own, *own.children(recursive=True)]
        ray.terminate()
        _, alive = psutil.wait_procs(started, timeout=20)
        for process in alive:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def test_ray_gives_the_weights_of_the_local_runner_and_reports_what_diverges(
    tmp_path: Path, cluster: dict[str, str], invoke: Invoke
) -> None:
    (tmp_path / "grid.json").write_text(json.dumps([*POINTS, DIVERGES]))
    base = TINY.replace(" --p 5", "")
    grid = [base, "--grid-file", "grid.json", "--threads", "1", "--format", "html", "--json"]
    child = sweeps.start(tmp_path, *grid, "--ray", "auto", "-o", "ray", **cluster)
    assert invoke("sweep", *grid, "-o", "local").exit_code == 0
    stdout, stderr = child.communicate(timeout=120)
    assert child.returncode == 0, stderr
    on_ray, local = weights(tmp_path / "ray"), weights(tmp_path / "local")
    assert len(on_ray) == 7
    assert on_ray == local
    document = json.loads(stdout)
    assert document == sweeps.result(tmp_path / "ray") | {"checks": []}
    assert (document["claims"]["done"], document["claims"]["failed"]) == (6, 1)
    assert any("training diverged" in warning for warning in document["warnings"])
    same = ("test_loss", "train_loss", "epochs")
    there = sweeps.result(tmp_path / "local")["claims"]
    assert all(document["claims"][name] == there[name] for name in same)


def test_a_worker_that_is_killed_loses_nothing(
    tmp_path: Path, cluster: dict[str, str], invoke: Invoke
) -> None:
    base = LONG.replace(" --epochs 1500", "")
    arguments = [base, "--grid", "epochs=1500,20", "--ray", "auto", "--format", "html", "-o", "s"]
    child = sweeps.start(tmp_path, *arguments, "--json", **cluster)
    sweeps.wait_for(lambda: n_saved(tmp_path / "s/points/epochs1500") > 3, child)
    worker = holder(tmp_path / "s/logs/epochs1500.log")
    assert worker is not None
    assert worker.pid != child.pid
    worker.kill()
    assert invoke(*LONG.split(), "--threads", "1", "--format", "html", "-o", "r").exit_code == 0
    stdout, stderr = child.communicate(timeout=180)
    assert child.returncode == 0, stderr
    assert json.loads(stdout)["claims"]["epochs"] == [1500, 20]
    assert weights(tmp_path / "s")["epochs1500"] == Path("r/ckpt.safetensors").read_bytes()
    assert _losses(tmp_path / "s/points/epochs1500") == _losses(tmp_path / "r")


def _losses(run: Path) -> list[float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["test_loss"] for line in lines]


def test_an_interrupt_has_the_workers_save(tmp_path: Path, cluster: dict[str, str]) -> None:
    arguments = [f"{LONG}00", "--grid", "seed=0:3", "--ray", "auto", "--format", "html", "-o", "s"]
    child = sweeps.start(tmp_path, *arguments, **cluster)
    metrics = tmp_path / "s/points/seed0/metrics.jsonl"
    sweeps.wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") > 2, child)
    child.send_signal(signal.SIGTERM)
    stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == 143
    assert stdout == ""
    assert "--resume goes on" in stderr
    assert "Traceback" not in stderr
    assert "interrupted after epoch" in (tmp_path / "s/logs/seed0.log").read_text()
    assert holder(tmp_path / "s/logs/seed0.log") is None


def test_what_no_node_has_room_for_is_refused(tmp_path: Path, cluster: dict[str, str]) -> None:
    refusals = {
        ("--threads", "64"): "expected a node of the cluster with 64 CPUs and 0 GPUs",
        ("--gpus-per-point", "0.5"): "with 1 CPUs and 0.5 GPUs",
    }
    grid = [TINY, "--grid", "seed=0", "--ray", "auto", "-o"]
    children = [
        sweeps.start(tmp_path, *grid, option.strip("-"), option, value, **cluster)
        for option, value in refusals
    ]
    for child, message in zip(children, refusals.values(), strict=True):
        _, stderr = child.communicate(timeout=60)
        assert child.returncode == 1
        assert message in stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("gpus", ["-1", "1.5", "nan"])
def test_shares_of_gpus_that_cannot_be_are_refused(invoke: Invoke, gpus: str) -> None:
    grid = [TINY, "--grid", "seed=0", "--ray", "auto", "--gpus-per-point", gpus]
    done = invoke("sweep", *grid)
    assert done.exit_code == 2
    assert "expected a share from 0 to 1, or a whole number" in done.stderr


def test_without_a_cluster_it_says_how_to_start_one(tmp_path: Path) -> None:
    grid = [TINY, "--grid", "seed=0", "--ray", "auto", "-o", "s"]
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:1"}
    child = sweeps.start(tmp_path, *grid, **environment)
    _, stderr = child.communicate(timeout=120)
    assert child.returncode == 1, stderr
    assert "ray start --head" in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "s").exists()


def test_without_ray_it_says_how_to_get_it(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = invoke("sweep", TINY, "--grid", "seed=0", "--ray", "auto")
    assert done.exit_code == 1
    assert "pip install 'mitool[ray]'" in done.stderr
    assert list(Path().iterdir()) == []
