"""What a run trains where its models are those of superposition."""

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mitool.core.config import as_dict
from mitool.core.errors import InputError
from mitool.models.superposition import Autoencoders
from mitool.storage.checkpoint import SUPERPOSITION
from mitool.storage.tensor_groups import full_name, joined
from mitool.training.config import require_same
from mitool.training.learner import Diverged
from mitool.training.side_by_side import SideBySide
from mitool.training.state import require_formats
from mitool.training.superposition.block import Block
from mitool.training.superposition.config import FREE_TO_CHANGE, SuperpositionConfig
from mitool.training.superposition.evaluation import (
    SuperpositionEvaluation,
    best_of_restarts,
    held_out_losses,
)
from mitool.training.superposition.examples import steps_drawn

WORTH_A_THREAD = 2**17
"""Features of a step, of all models together, that more than one thread is worth while for."""

BLOCK, DRAWN = 2**19, 2**23
"""Features of a block's examples, of a step and of those drawn at a time: more, and they fill the
processor's caches.
"""

EVALUATED, MOST_EVALUATED = 4096, 2**24
"""Held-out examples of an evaluation, and the most features in all of them."""


class SuperpositionLearner(SideBySide[SuperpositionEvaluation]):
    """Families of models, each of one shape, that are trained side by side."""

    kind = SUPERPOSITION
    evaluation = SuperpositionEvaluation

    def __init__(self, config: SuperpositionConfig, families: Mapping[str, Autoencoders]) -> None:
        """Make ready to train the models, in place.

        Args:
            families: by name; a lone one may have an empty name.
        """
        settings = config.settings
        self.config = config
        self.families = families
        self.device = config.device
        self.n_epochs = settings.steps
        self.eval_every = settings.eval_every
        every = settings.checkpoint_every
        self.saved_epochs = frozenset(
            {*range(0, settings.steps, every), settings.steps} if every else ()
        )
        self._blocks = {name: self._blocks_of(name) for name in families}
        self.n_drawn = max(steps_drawn(models, settings.batch_size) for models in families.values())

    def _blocks_of(self, name: str) -> list[Block]:
        """The models of a family in blocks, each of which has all restarts of its models."""
        models, n_threads = self.families[name], self.n_threads
        batch_size, restarts = self.config.settings.batch_size, models.cfg.restarts
        n_instances, n_blocks = len(models) // restarts, 1
        if self.device.is_host:
            size = models.importance.numel() * batch_size
            most = min(BLOCK, DRAWN // steps_drawn(models, batch_size))
            n_blocks = min(n_instances, n_threads * -(-size // (most * n_threads)))
        bounds = [n_instances * i // n_blocks * restarts for i in range(n_blocks + 1)]
        return [
            Block(models[first:stop], first, name, self.config)
            for first, stop in itertools.pairwise(bounds)
        ]

    def gradients(
        self, epoch: int, batch: int, device: torch.device, dtype: torch.dtype
    ) -> Mapping[str, Tensor]:
        """Those of the first models of each family, as many as fill a block at the most."""
        found: dict[str, Tensor] = {}
        for name, models in self.families.items():
            features = models.cfg.n_features * models.cfg.restarts * self.config.settings.batch_size
            first = models[: max(1, BLOCK // features) * models.cfg.restarts].to(device, dtype)
            gradients = Block(first, 0, name, self.config).gradients_of(epoch)
            found |= {f"the gradient of {full_name(name, n)}": g for n, g in gradients.items()}
        return found

    @property
    def trainables(self) -> list[Block]:
        return [block for blocks in self._blocks.values() for block in blocks]

    @property
    def n_threads(self) -> int:
        size = sum(models.importance.numel() for models in self.families.values())
        is_worth = size * self.config.settings.batch_size >= WORTH_A_THREAD
        return self.device.threads if is_worth and self.device.is_host else 1

    def record(self) -> dict[str, Any]:
        return self.config.as_dict()

    def require_same(self, saved: dict[str, Any]) -> None:
        require_same(saved, self.config.as_dict(), FREE_TO_CHANGE)

    def evaluate(self, epoch: int, step: int, seconds: float) -> SuperpositionEvaluation:
        losses = {}
        for name, models in self.families.items():
            found = self._losses(name)
            losses[name] = found[best_of_restarts(found, models.cfg.restarts)].tolist()
            if not found.isfinite().all():
                raise Diverged
        return SuperpositionEvaluation(epoch=epoch, step=step, losses=losses, seconds=seconds)

    def _losses(self, name: str) -> Tensor:
        models = self.families[name]
        n_examples = max(1, min(EVALUATED, MOST_EVALUATED // models.cfg.n_features))
        return held_out_losses(models, name, self.config.seed, lambda density: n_examples)

    def is_finite(self) -> bool:
        trained = (w for models in self.families.values() for w in models.trained().values())
        return all(bool(weight.isfinite().all()) for weight in trained)

    def weights(self) -> Mapping[str, Tensor]:
        return joined({name: models.tensors() for name, models in self.families.items()})

    def model_record(self) -> dict[str, Any]:
        families = {name: as_dict(models.cfg) for name, models in self.families.items()}
        return {"families": families} | self.record()["model"]

    def state(self) -> Mapping[str, Tensor]:
        tensors = dict(self.weights())
        for family, blocks in self._blocks.items():
            states = [block.state() for block in blocks]
            for name, values in states[0].items():
                for key in values:
                    joined = torch.cat([state[name][key] for state in states])
                    tensors[full_name(family, f"{name}/{key}")] = joined
        return tensors

    def restore(self, state: Mapping[str, Tensor]) -> None:
        weights = self.weights()
        require_formats(state, weights)
        found = {n: (tensor.shape, tensor.dtype) for n, tensor in state.items() if n in weights}
        if found != {n: (weight.shape, weight.dtype) for n, weight in weights.items()}:
            raise InputError("its weights are of other models")
        for name, weight in weights.items():
            weight.copy_(state[name])
        for family, blocks in self._blocks.items():
            for block in blocks:
                block.restore(self._state_of(family, block, state))

    def _state_of(
        self, family: str, block: Block, state: Mapping[str, Tensor]
    ) -> Mapping[str, Mapping[str, Tensor]]:
        mine = slice(block.first, block.first + len(block.models))
        return {
            name: {
                full.rpartition("/")[2]: tensor[mine].to(parameter.device)
                for full, tensor in state.items()
                if full.startswith(full_name(family, f"{name}/"))
            }
            for name, parameter in block.parameters.items()
        }
