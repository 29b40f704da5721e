"""What decides a run of superposition models."""

from dataclasses import dataclass
from typing import Any

from mitool.config import as_dict
from mitool.device import Device
from mitool.settings import SuperpositionSettings

KIND = "superposition"
"""The kind of its checkpoints."""

FREE_TO_CHANGE = frozenset({"steps", "checkpoint_every"})
"""Settings that a resumed run may change: they leave the weights of a step alone."""

OF_TRAINING = (
    *("restarts", "batch_size", "steps", "lr", "weight_decay", "eval_every", "checkpoint_every"),
)


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
            "task": {"name": KIND, "parameters": {"experiment": self.experiment}},
            "model": {k: v for k, v in settings.items() if k not in OF_TRAINING},
            "training": {k: v for k, v in settings.items() if k in OF_TRAINING},
            "device": self.device.describe(),
            "seed": self.seed,
        }
