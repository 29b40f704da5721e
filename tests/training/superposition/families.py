"""Small models of superposition, and runs of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from mitool.analysis.superposition.experiments.base import Plan
from mitool.core.device import Device
from mitool.models.superposition import AutoencoderConfig, Autoencoders
from mitool.settings import SuperpositionSettings
from mitool.storage.checkpoint import load
from mitool.training.superposition import SuperpositionConfig, train_families

SETTINGS = SuperpositionSettings(
    n_features=6, n_hidden=3, n_instances=4, batch_size=64, steps=40, eval_every=10
)

KINDS: dict[str, dict[str, Any]] = {
    "relu output": {},
    "linear": {"activation": "linear"},
    "relu hidden": {"hidden_activation": "relu"},
    "absolute values": {"hidden_activation": "relu", "target": "abs"},
    "correlated": {"correlation": "correlated", "set_size": 2},
    "anticorrelated": {"correlation": "anticorrelated", "set_size": 3},
    "restarts": {"restarts": 2},
}


def config(seed: int = 0, threads: int = 1, **settings: Any) -> SuperpositionConfig:
    device = Device("cpu", threads=threads)  # of more threads, it may be, than there are cores
    return SuperpositionConfig("train", replace(SETTINGS, **settings), device, seed)


def models(of: SuperpositionConfig, **kind: Any) -> Autoencoders:
    settings = of.settings
    cfg = AutoencoderConfig(n_features=settings.n_features, n_hidden=settings.n_hidden, **kind)
    return Plan.spread(cfg, settings, "0.9^i").build(of.seed, "", of.device)


def run(of: SuperpositionConfig, folder: Path, **options: Any) -> dict[str, Tensor]:
    """Train two families of models, and return what the checkpoint holds."""
    families = {"a": models(of), "b": models(of, hidden_activation="relu", target="abs")}
    train_families(of, families, folder, **options)
    return load(folder)[0]
