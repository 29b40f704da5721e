"""What a run trains where its model is a toy transformer."""

import copy
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from mitool.core.config import as_dict
from mitool.core.device import generator, host
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.storage.checkpoint import TRANSFORMER
from mitool.training.cadence import checkpoint_epochs
from mitool.training.config import RunConfig, require_same
from mitool.training.data import TrainingData
from mitool.training.learner import Diverged, Learner
from mitool.training.loss import loss_and_gradient
from mitool.training.memory import require_memory
from mitool.training.metrics import Evaluation, grokked_at, score, weight_norms
from mitool.training.optimizers import make_optimizer
from mitool.training.state import restore_state, state_of
from mitool.training.step import CapturedStep, TrainStep


class TransformerLearner(Learner[Evaluation]):
    """A toy transformer that learns a task."""

    kind = TRANSFORMER
    evaluation = Evaluation
    advice = "try a lower --lr, or --warmup"

    def __init__(self, config: RunConfig) -> None:
        """Make the data, the model and the optimiser.

        Raises:
            UsageError: the settings do not fit together.
            RunError: there is not enough memory.
        """
        self.config = config
        self.device = config.device
        self.n_epochs = config.training.epochs
        self.eval_every = config.training.eval_every
        self.saved_epochs = checkpoint_epochs(config.training)
        cfg = TransformerConfig.for_task(config.model, config.task)
        require_memory(config.task, cfg, config.training, config.device)
        self.data = TrainingData(
            config.task, config.training, config.seed, config.data_seed, config.device
        )
        self.model = ToyTransformer(cfg).initialise(generator(config.seed, "init"))
        self.model.to(config.device.torch_device, config.device.torch_dtype)
        self._captures = (
            config.device.is_cuda
            and self.data.full_batch is not None
            and config.training.optimizer != "sgd"
        )
        self.optimizer = make_optimizer(
            self.model.parameters(), config.training, capturable=self._captures
        )
        self._loss = torch.zeros(())

    @property
    def steps_per_epoch(self) -> int:
        return self.data.steps_per_epoch

    def record(self) -> dict[str, Any]:
        return self.config.as_dict()

    def require_same(self, saved: dict[str, Any]) -> None:
        require_same(saved, self.config.as_dict(), self.config.free_to_change)

    def begin(self, step: int) -> None:
        training = self.config.training
        n_steps = training.epochs * self.data.steps_per_epoch
        if self._captures:
            assert self.data.full_batch is not None
            batch = self.data.full_batch
            self._step: TrainStep = CapturedStep(
                self.model, self.optimizer, training, n_steps, batch, step
            )
        else:
            self._step = TrainStep(self.model, self.optimizer, training, n_steps, step)

    def gradients(
        self, epoch: int, batch: int, device: torch.device, dtype: torch.dtype
    ) -> Mapping[str, Tensor]:
        model = copy.deepcopy(self.model).to(device, dtype)
        examples = next(itertools.islice(self._data_on(device).batches(epoch), batch, None))
        logits = model(examples.inputs)
        loss, gradient = loss_and_gradient(logits, examples.targets)
        logits.backward(gradient)
        trained = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        return {"the loss": loss} | {f"the gradient of {n}": g for n, g in trained.items()}

    def _data_on(self, device: torch.device) -> TrainingData:
        """The data; elsewhere than where the run computes, made anew, on the CPU."""
        if device == self.device.torch_device:
            return self.data
        config = self.config
        return TrainingData(config.task, config.training, config.seed, config.data_seed, host())

    def train(
        self, epoch: int, batch: int, until: int, stop: Callable[[], bool]
    ) -> tuple[int, int]:
        for examples in itertools.islice(self.data.batches(epoch), batch, None):
            self._loss = self._step(examples)
            batch += 1
            if stop():
                break
        return (epoch + 1, 0) if batch == self.data.steps_per_epoch else (epoch, batch)

    def evaluate(self, epoch: int, step: int, seconds: float) -> Evaluation:
        train = score(self.model, self.config.task, self.data.train_evaluation(epoch))
        test = score(self.model, self.config.task, self.data.test)
        norms = weight_norms(self.model)
        if not all(map(math.isfinite, (train.loss, test.loss, *norms.values()))):
            raise Diverged
        return Evaluation(
            epoch=epoch,
            step=step,
            train_loss=train.loss,
            test_loss=test.loss,
            train_accuracy=train.accuracy,
            test_accuracy=test.accuracy,
            train_sequence_accuracy=train.sequence_accuracy,
            test_sequence_accuracy=test.sequence_accuracy,
            train_position_losses=train.position_losses,
            test_position_losses=test.position_losses,
            train_position_accuracies=train.position_accuracies,
            test_position_accuracies=test.position_accuracies,
            weight_norms=norms,
            seconds=seconds,
        )

    def is_done(self, history: Sequence[Evaluation]) -> bool:
        training, latest = self.config.training, history[-1]
        if training.stop_test_loss is not None and latest.test_loss <= training.stop_test_loss:
            return True
        return training.stop_on_grok and latest.is_grokked and grokked_at(history) is not None

    def is_finite(self) -> bool:
        finite = all(parameter.isfinite().all() for parameter in self.model.parameters())
        return finite and bool(self._loss.isfinite())

    def weights(self) -> Mapping[str, Tensor]:
        return self.model.state_dict()

    def model_record(self) -> dict[str, Any]:
        return as_dict(self.model.cfg)

    def split_record(self) -> dict[str, Any] | None:
        return None if self.data.split is None else asdict(self.data.split)

    def state(self) -> Mapping[str, Tensor]:
        return state_of(self.model, self.optimizer)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        restore_state(self.model, self.optimizer, state)
