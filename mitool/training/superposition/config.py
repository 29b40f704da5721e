"""What decides a run of superposition models."""

from dataclasses import dataclass
from typing import Any

from mitool.core.config import as_dict, non_defaults
from mitool.core.device import Device
from mitool.settings import SuperpositionSettings
from mitool.settings.superposition import PRESETS
from mitool.storage.checkpoint import SUPERPOSITION
from mitool.storage.layout import folder_name

FREE_TO_CHANGE = frozenset({"steps", "checkpoint_every"})
"""Settings that a resumed run may change: they leave the weights of a step alone."""

OF_TRAINING = (
    *("init_scale", "restarts", "batch_size", "steps", "lr", "weight_decay"),
    *("eval_every", "checkpoint_every"),
)
"""Settings of how models are trained; the others say what they are."""


@dataclass(frozen=True)
class SuperpositionConfig:
    """All that decides the weights of a run.

    Attributes:
        experiment: which says, with the settings, what models there are.
    """

    experiment: str
    settings: SuperpositionSettings
    device: Device
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The configuration as JSON values, as ``config.json`` holds it."""
        settings = as_dict(self.settings)
        return {
            "task": {"name": SUPERPOSITION, "parameters": {"experiment": self.experiment}},
            "model": {k: v for k, v in settings.items() if k not in OF_TRAINING},
            "training": {k: v for k, v in settings.items() if k in OF_TRAINING},
            "device": self.device.describe(),
            "seed": self.seed,
        }


def run_name(config: SuperpositionConfig) -> str:
    """A folder name that says experiment, settings that are not the defaults, and seed."""
    preset = PRESETS[config.experiment].settings
    changed = non_defaults(config.settings, preset).items()
    parts = [f"{name}_{value}" for name, value in changed if name not in FREE_TO_CHANGE]
    return folder_name(f"superpose-{config.experiment}", *parts, f"seed{config.seed}")
