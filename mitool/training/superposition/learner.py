"""What a run trains where its models are those of superposition."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from mitool.checkpoint import SUPERPOSITION, Metadata, TaskRecord
from mitool.config import as_dict
from mitool.errors import InputError
from mitool.models.superposition import Autoencoders
from mitool.training.config import require_same
from mitool.training.learner import Diverged, Learner
from mitool.training.superposition.block import Block
from mitool.training.superposition.config import FREE_TO_CHANGE, SuperpositionConfig
from mitool.training.superposition.evaluation import (
    SuperpositionEvaluation,
    best_of_restarts,
    held_out_losses,
)
from mitool.training.superposition.examples import steps_drawn
from mitool.version import __version__

WORTH_A_THREAD = 2**17
"""Features of a step, of all models together, that more than one thread is worth while for."""

BLOCK, DRAWN = 2**19, 2**23
"""Features of a block's examples, of a step and of those drawn at a time: more, and they fill the
processor's caches.
"""

PATIENCE = 0.25
"""Seconds for which models are trained before anything else is looked at."""

EVALUATED, MOST_EVALUATED = 4096, 2**24
"""Held-out examples of an evaluation, and the most features in all of them."""


class SuperpositionLearner(Learner[SuperpositionEvaluation]):
    """Families of models, each of one shape, that are trained side by side.

    Attributes:
        n_drawn: how many steps' examples are drawn at a time.
    """

    evaluation = SuperpositionEvaluation
    unit = "step"

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
        self._pace = 1
        self.n_drawn = max(steps_drawn(models, settings.batch_size) for models in families.values())

    def _blocks_of(self, name: str) -> list[Block]:
        """The models of a family in blocks, each of which has all restarts of its models."""
        models, n_threads = self.families[name], self._n_threads
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

    @property
    def _n_threads(self) -> int:
        size = sum(models.importance.numel() for models in self.families.values())
        is_worth = size * self.config.settings.batch_size >= WORTH_A_THREAD
        return self.device.threads if is_worth and self.device.is_host else 1

    @property
    def steps_per_epoch(self) -> int:
        return 1

    def record(self) -> dict[str, Any]:
        return self.config.as_dict()

    def require_same(self, saved: dict[str, Any]) -> None:
        require_same(saved, self.config.as_dict(), FREE_TO_CHANGE)

    def begin(self, step: int) -> None:
        """Nothing is to be done: a step needs nothing but its number."""

    def train(
        self, epoch: int, batch: int, until: int, stop: Callable[[], bool]
    ) -> tuple[int, int]:
        n_steps = max(self._pace, self.n_drawn)
        end = min(until, (epoch + n_steps) // self.n_drawn * self.n_drawn)
        started = time.perf_counter()
        self.train_blocks(epoch, end)
        self.device.synchronise()
        elapsed = time.perf_counter() - started
        self._pace = max(1, int(PATIENCE * (end - epoch) / elapsed))
        return end, 0

    def train_blocks(self, start: int, stop: int) -> None:
        """Take the steps ``start`` to ``stop - 1``, each block on whichever thread is free: the
        models have nothing in common.
        """
        left = deque(block for blocks in self._blocks.values() for block in blocks)

        def work() -> None:
            for block in _taken(left):
                block.train(start, stop)

        n_threads = min(self._n_threads, len(left))
        with self.device.one_thread_each(), ThreadPoolExecutor(n_threads) as pool:
            for done in [pool.submit(work) for _ in range(n_threads)]:
                done.result()

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

    def is_done(self, history: Sequence[SuperpositionEvaluation]) -> bool:
        return False

    def is_finite(self) -> bool:
        trained = (w for models in self.families.values() for w in models.trained().values())
        return all(bool(weight.isfinite().all()) for weight in trained)

    def weights(self) -> Mapping[str, Tensor]:
        return {
            _full_name(name, key): tensor
            for name, models in self.families.items()
            for key, tensor in models.tensors().items()
        }

    def metadata(self, epoch: int, step: int) -> Metadata:
        record = self.config.as_dict()
        families = {name: as_dict(models.cfg) for name, models in self.families.items()}
        return Metadata(
            kind=SUPERPOSITION,
            model={"families": families} | record["model"],
            task=TaskRecord(**record["task"]),
            training=record["training"] | record["device"],
            split=None,
            seed=self.config.seed,
            step=step,
            epoch=epoch,
            version=__version__,
        )

    def state(self) -> Mapping[str, Tensor]:
        tensors = dict(self.weights())
        for family, blocks in self._blocks.items():
            states = [block.state() for block in blocks]
            for name, values in states[0].items():
                for key in values:
                    joined = torch.cat([state[name][key] for state in states])
                    tensors[_full_name(family, f"{name}/{key}")] = joined
        return tensors

    def restore(self, state: Mapping[str, Tensor]) -> None:
        weights = self.weights()
        found = {name: tensor.shape for name, tensor in state.items() if name in weights}
        if found != {name: weight.shape for name, weight in weights.items()}:
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
                if full.startswith(_full_name(family, f"{name}/"))
            }
            for name, parameter in block.parameters.items()
        }


def families_of(
    tensors: Mapping[str, Tensor], names: Sequence[str]
) -> dict[str, dict[str, Tensor]]:
    """The tensors of a checkpoint, by family and then by their names."""
    return {
        family: {
            full.rpartition(".")[2]: tensor
            for full, tensor in tensors.items()
            if full.rpartition(".")[0] == family
        }
        for family in names
    }


def _full_name(family: str, name: str) -> str:
    return f"{family}.{name}" if family else name


def _taken(left: deque[Block]) -> Iterator[Block]:
    """Those that no other thread has taken."""
    while True:
        try:
            yield left.popleft()
        except IndexError:
            return
