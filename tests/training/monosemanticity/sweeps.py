"""Small sweeps that the tests of their training share."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from mitool.core.device import Device
from mitool.settings.monosemanticity import Axes, MonosemanticitySettings
from mitool.storage.checkpoint import load
from mitool.training.monosemanticity import MonosemanticityConfig, train_sweep

TINY = MonosemanticitySettings(
    N=16, m=6, k=24, eps=0.1, log2_batch_size=5, log2_training_steps=7, half_period=8
)
RATES: Axes = {"learning_rate": (0.001, 0.003, 0.01)}


def config(
    axes: Axes = RATES, seed: int = 0, threads: int = 1, **settings: Any
) -> MonosemanticityConfig:
    device = Device("cpu", threads=threads)  # of more threads, it may be, than there are cores
    return MonosemanticityConfig(replace(TINY, **settings), device, seed, axes)


def run(of: MonosemanticityConfig, folder: Path, **options: Any) -> dict[str, Tensor]:
    """Train, and return what the checkpoint holds."""
    train_sweep(of, folder, **options)
    return load(folder)[0]
