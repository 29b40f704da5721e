"""What decides a run that engineers monosemanticity."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mitool.core.config import as_dict, build, nearest, non_defaults
from mitool.core.device import Device
from mitool.core.errors import UsageError
from mitool.models.monosemanticity import FeatureMLPConfig
from mitool.settings.monosemanticity import SWEEPABLE, Axes, MonosemanticitySettings, Value
from mitool.storage.checkpoint import MONOSEMANTICITY
from mitool.storage.layout import folder_name

OF_TRAINING = (
    *("log2_batch_size", "log2_training_steps", "learning_rate", "half_period", "decay"),
    *("initial_bias", "reg"),
)
"""Settings of how a model is trained; the others say what it is, and what it learns from."""

MOST_MODELS = 1000


@dataclass(frozen=True)
class MonosemanticityConfig:
    """All that decides the weights of a run.

    Attributes:
        settings: of all models, but for what is swept.
        axes: what is swept; there is a model for each combination of values.
        preset: the line of the published table that this is, if it is one.
        scale: what was made smaller of it, by its name in ``SCALES``.

    Raises:
        UsageError: a swept setting is unknown, one of its values is not in its range, a value
            comes twice, or there are too many models.
    """

    settings: MonosemanticitySettings
    device: Device
    seed: int = 0
    axes: Axes = field(default_factory=dict)
    preset: str | None = None
    scale: str = "published"

    def __post_init__(self) -> None:
        n_models = 1
        for name, values in self.axes.items():
            if name not in SWEEPABLE:
                hint = nearest(name, SWEEPABLE)
                raise UsageError(f"sweep: expected one of the settings, found {name!r}: {hint}")
            if not values or len(set(values)) < len(values):
                raise UsageError(f"sweep: {name}: expected different values, found {list(values)}")
            n_models *= len(values)
        if n_models > MOST_MODELS:
            raise UsageError(f"sweep: expected at most {MOST_MODELS:,} models, found {n_models:,}")
        self.runs()

    def runs(self) -> dict[str, MonosemanticitySettings]:
        """The settings of each model, by a name that says what is its own."""
        stated = as_dict(self.settings)
        return {
            run_label(point): build(MonosemanticitySettings, stated | point)
            for point in self.points()
        }

    def points(self) -> list[dict[str, Value]]:
        """What is swept, of each model."""
        combinations = itertools.product(*self.axes.values())
        return [dict(zip(self.axes, values, strict=True)) for values in combinations]

    def as_dict(self) -> dict[str, Any]:
        """The configuration as JSON values, as ``config.json`` holds it."""
        settings = as_dict(self.settings)
        parameters = {"preset": self.preset, "scale": self.scale}
        return {
            "task": {"name": MONOSEMANTICITY, "parameters": parameters},
            "model": {k: v for k, v in settings.items() if k not in OF_TRAINING},
            "training": {k: v for k, v in settings.items() if k in OF_TRAINING},
            "sweep": {name: list(values) for name, values in self.axes.items()},
            "device": self.device.describe(),
            "seed": self.seed,
        }


def run_label(point: Mapping[str, Value]) -> str:
    """The name of a model of a sweep, such as ``learning_rate=0.001``; of a lone one, nothing."""
    return ", ".join(f"{name}={value}" for name, value in point.items())


def model_config(settings: MonosemanticitySettings) -> FeatureMLPConfig:
    """The model of some settings."""
    s = settings
    return FeatureMLPConfig(N=s.N, m=s.m, k=s.k, activation=s.activation, task=s.task)


def run_name(config: MonosemanticityConfig, reference: "MonosemanticityConfig") -> str:
    """A folder name that says preset, settings and sweeps that are not its own, and seed.

    Args:
        reference: the preset as it is, or the defaults where it is none.
    """
    parts = [config.preset] if config.preset else []
    parts += [config.scale] if config.scale != "published" else []
    changed = non_defaults(config.settings, reference.settings)
    parts += [f"{name}_{value}" for name, value in changed.items()]
    parts += [
        f"{name}_{'_'.join(f'{value}' for value in values)}"
        for name, values in config.axes.items()
        if reference.axes.get(name) != values
    ]
    return folder_name("superpose-mono", *parts, f"seed{config.seed}")
