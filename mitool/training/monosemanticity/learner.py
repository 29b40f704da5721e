"""What a run trains where its models are MLPs on features."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mitool.core.device import to_float64
from mitool.models.monosemanticity import FeatureMLP
from mitool.settings.monosemanticity import MonosemanticitySettings
from mitool.storage.checkpoint import MONOSEMANTICITY
from mitool.storage.tensor_groups import families_of, joined
from mitool.training.config import require_same
from mitool.training.learner import Diverged
from mitool.training.memory import require_free
from mitool.training.monosemanticity.config import MonosemanticityConfig, model_config
from mitool.training.monosemanticity.evaluation import (
    PART,
    MonosemanticityEvaluation,
    held_out_loss,
    monosemantic_neurons,
)
from mitool.training.monosemanticity.trainer import Trainer, steps_drawn
from mitool.training.side_by_side import SideBySide

REMEDY = "sweep fewer values, or take smaller models or batches (--scale small)"

EVALUATIONS_A_DOUBLING = 4
"""Evaluations while the number of steps doubles."""


class MonosemanticityLearner(SideBySide[MonosemanticityEvaluation]):
    """The models of a sweep; one that diverges is left as it is, and the others go on.

    Attributes:
        trainers: of the models, by their names.
    """

    kind = MONOSEMANTICITY
    evaluation = MonosemanticityEvaluation
    advice = "try a lower --learning-rate"

    def __init__(self, config: MonosemanticityConfig) -> None:
        """Make the untrained models.

        Raises:
            RunError: there is not enough memory for them, and for one to be trained.
        """
        self.config, self.device = config, config.device
        runs = config.runs()
        self._step_bytes = max(_step_bytes(settings) for settings in runs.values())
        needed = sum(_weight_bytes(settings) for settings in runs.values()) + self._step_bytes
        require_free(needed, config.device, REMEDY)
        self.trainers = {name: self._trainer(settings) for name, settings in runs.items()}
        self.n_drawn = max(steps_drawn(settings) for settings in runs.values())
        self.n_epochs = self.eval_every = config.settings.steps
        log2_steps = config.settings.log2_training_steps
        self.saved_epochs = frozenset({0, *(2**i for i in range(log2_steps + 1))})
        self.also_evaluated = frozenset(
            round(2 ** (i / EVALUATIONS_A_DOUBLING))
            for i in range(EVALUATIONS_A_DOUBLING * log2_steps + 1)
        )

    def _trainer(self, settings: MonosemanticitySettings) -> Trainer:
        cfg, seed = model_config(settings), self.config.seed
        model = FeatureMLP.initialised(cfg, seed, settings.initial_bias)
        return Trainer(model.to(self.device.torch_device), settings, seed)

    def gradients(
        self, epoch: int, batch: int, device: torch.device, dtype: torch.dtype
    ) -> Mapping[str, Tensor]:
        """Those of the models that have not diverged."""
        return {
            f"{value} of {name}" if name else value: found
            for name, trainer in self.trainers.items()
            if trainer.is_finite()
            for value, found in trainer.gradients(epoch, device, dtype).items()
        }

    @property
    def trainables(self) -> list[Trainer]:
        return [*self.trainers.values()]

    @property
    def n_threads(self) -> int:
        """As many as there are cores, and memory for."""
        if not self.device.is_host:
            return 1
        return max(1, min(self.device.threads, self.device.free_memory() // self._step_bytes))

    def record(self) -> dict[str, Any]:
        return self.config.as_dict()

    def require_same(self, saved: dict[str, Any]) -> None:
        # not even more steps: the bias decays in the first half of all
        require_same(saved, self.config.as_dict(), frozenset())

    def evaluate(self, epoch: int, step: int, seconds: float) -> MonosemanticityEvaluation:
        measured = [self._measures(trainer) for trainer in self.trainers.values()]
        if not any(found for found in measured):
            raise Diverged
        loss, count, bias = zip(*(found or (None, None, None) for found in measured), strict=True)
        return MonosemanticityEvaluation(
            epoch=epoch,
            step=step,
            loss=[*loss],
            monosemantic_neurons=[*count],
            mean_bias=[*bias],
            seconds=seconds,
        )

    def _measures(self, trainer: Trainer) -> tuple[float, int, float] | None:
        """Loss, monosemantic neurons and mean bias; nothing of a model that has diverged."""
        model, settings = trainer.model, trainer.settings
        loss = held_out_loss(model, settings, self.config.seed, PART)
        if not (trainer.is_finite() and math.isfinite(loss)):
            return None
        count = monosemantic_neurons(model.feature_activations(), settings)
        return loss, count, to_float64(model.b_in).mean().item()

    def is_finite(self) -> bool:
        return any(trainer.is_finite() for trainer in self.trainers.values())

    def weights(self) -> Mapping[str, Tensor]:
        return joined({name: t.model.state_dict() for name, t in self.trainers.items()})

    def model_record(self) -> dict[str, Any]:
        models = dict(zip(self.trainers, self.config.points(), strict=True))
        return self.record()["model"] | {"models": models}

    def state(self) -> Mapping[str, Tensor]:
        return joined({name: trainer.state() for name, trainer in self.trainers.items()})

    def restore(self, state: Mapping[str, Tensor]) -> None:
        by_model = families_of(state, [*self.trainers])
        for name, trainer in self.trainers.items():
            trainer.restore(by_model[name])


def _weight_bytes(settings: MonosemanticitySettings) -> int:
    """Memory of a model: its embeddings, and weights, gradients and the two averages of LAMB."""
    cfg = model_config(settings)
    trained = cfg.m * cfg.k + cfg.k + cfg.k * cfg.d_out
    return 4 * (4 * trained + 2 * cfg.N * cfg.m)


def _step_bytes(settings: MonosemanticitySettings) -> int:
    """Memory of a step of one model, roughly: its examples, errors and activations, and what is
    drawn at a time.
    """
    cfg = model_config(settings)
    drawn = 2 * settings.N * settings.batch_size * steps_drawn(settings)
    return 4 * (settings.batch_size * (3 * cfg.N + 3 * cfg.k + cfg.m) + drawn)
