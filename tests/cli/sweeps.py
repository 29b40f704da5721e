"""What the tests of sweeps share: small sweeps, and the weights that come of them."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.cli.conftest import mitool

TINY = "train modadd --p 5 --epochs 20 --d-model 8 --n-heads 2"
LONG = "train modadd --p 11 --d-model 16 --n-heads 2 --epochs 1500"
"""A training of some seconds, which can be killed on its way; it saves every 15 epochs."""

POINTS = [{"p": p, "seed": seed} for p in (5, 7, 11) for seed in (0, 1)]
DIVERGES = {"p": 5, "seed": 2, "lr": 1000, "optimizer": "sgd"}


def weights(folder: Path) -> dict[str, bytes]:
    """The file of the weights of each point."""
    return {p.parent.name: p.read_bytes() for p in folder.glob("points/*/ckpt.safetensors")}


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text())


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A sweep as a process, in a folder."""
    return subprocess.Popen(
        mitool(["sweep", *arguments]),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment or None,
    )


def wait_for(condition: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    begun = time.time()
    while not condition():
        assert child.poll() is None, child.communicate()
        assert time.time() - begun < 120
        time.sleep(0.05)


def n_saved(run: Path) -> int:
    """How many checkpoints a run has saved."""
    return len(list((run / "checkpoints").glob("*")))


def holder(log: Path) -> psutil.Process | None:
    """The process that has the log open."""
    for process in psutil.process_iter():
        try:
            if str(log) in (file.path for file in process.open_files()):
                return process
        except psutil.Error:
            continue
    return None
