"""Small runs that the tests of training share."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mitool.core.device import Device, resolve
from mitool.core.errors import InputError, MitoolError, UsageError
from mitool.settings import ModelSettings
from mitool.storage import layout
from mitool.storage.checkpoint import read_tensors
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd
from mitool.training import RunConfig

SMALL = ModelSettings(n_heads=2, d_model=16)


def config(epochs: int = 40, device: Device | None = None, **training: Any) -> RunConfig:
    return RunConfig(
        task=ModAdd(p=7, frac_train=0.5),
        model=SMALL,
        training=replace(
            ModAdd.training,
            **{"epochs": epochs, "eval_every": 5, "checkpoint_every": 10, **training},
        ),
        device=device or resolve("cpu", threads=1),
    )


STREAM = replace(
    config(batch_size=16, eval_size=64),
    task=Min(k=9, max_value=9),
    model=replace(SMALL, n_layers=2),
)
MINIBATCH = config(batch_size=10, warmup=20, schedule="cosine")
RUNS = {
    "full batch": config(),
    "minibatch": MINIBATCH,
    "stream": STREAM,
    "sgd": config(optimizer="sgd", momentum=0.9, lr=0.1, weight_decay=0.0),
    "float64": config(device=resolve("cpu", dtype="float64", threads=1)),
}


class StopAt:
    """Sends a signal to this process once so many epochs are done; an observer of any run."""

    def __init__(self, epoch: int, signum: int = signal.SIGTERM) -> None:
        self.epoch = epoch
        self.signum = signum

    def epoch_done(self, epoch: int) -> None:
        if epoch >= self.epoch:
            os.kill(os.getpid(), self.signum)

    def evaluated(self, evaluation: object) -> None: ...


DAMAGED: list[tuple[str, type[MitoolError], str]] = [
    (layout.RESUME, InputError, "resume.safetensors: damaged: the digest of its contents"),
    (layout.METRICS, InputError, "metrics.jsonl: damaged: expected one JSON object a line"),
    (layout.CONFIG, UsageError, "holds files with the names of a run's that are no run of"),
]
"""Files of a run, and how its resumption is refused once ``damage`` has been done to them."""


def damage(path: Path) -> None:
    """Change a byte in the middle of a file, and one near its start where that is text."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    content[5] = 0
    path.write_bytes(content)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_tensors(folder / layout.CHECKPOINT)[0]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
