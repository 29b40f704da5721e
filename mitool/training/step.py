"""One step of training: loss, gradients, optimiser."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.core.device import capture
from mitool.models.transformer import ToyTransformer
from mitool.settings import TrainingSettings
from mitool.training.data import Batch
from mitool.training.loss import loss_and_gradient
from mitool.training.optimizers import learning_rate

Loss = Float[Tensor, ""]


class TrainStep:
    """Trains a model by one batch at a time.

    Attributes:
        n_steps: how many steps there will be.
        taken: how many have been taken.
    """

    def __init__(
        self,
        model: ToyTransformer,
        optimizer: torch.optim.Optimizer,
        settings: TrainingSettings,
        n_steps: int,
        taken: int = 0,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.settings = settings
        self.n_steps = n_steps
        self.taken = taken

    def __call__(self, batch: Batch) -> Loss:
        """Take a step; returns the loss before it, as a scalar on the device."""
        self._set_learning_rate()
        self.taken += 1
        return self._step(batch)

    def _step(self, batch: Batch) -> Loss:
        self.optimizer.zero_grad()
        logits = self.model(batch.inputs)
        loss, gradient = loss_and_gradient(logits, batch.targets)
        logits.backward(gradient)
        self.optimizer.step()
        return loss

    def _set_learning_rate(self) -> None:
        if self.taken <= self.settings.warmup or self.settings.schedule != "constant":
            lr = learning_rate(self.settings, self.taken, self.n_steps)
            for group in self.optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(lr)
                else:
                    group["lr"] = lr


class CapturedStep(TrainStep):
    """The step on one fixed batch, captured in a CUDA graph and replayed.

    The optimiser must be capturable, and its learning rate a tensor on the device. The loss is
    one tensor, which each step fills anew.
    """

    WARMUP_STEPS = 3

    def __init__(
        self,
        model: ToyTransformer,
        optimizer: torch.optim.Optimizer,
        settings: TrainingSettings,
        n_steps: int,
        batch: Batch,
        taken: int = 0,
    ) -> None:
        super().__init__(model, optimizer, settings, n_steps, taken)
        self._batch = batch
        self._replay, self._loss = capture(self._plain_step, self._warm_up)

    def _step(self, batch: Batch) -> Loss:
        assert batch is self._batch, "a captured step repeats the batch it was captured with"
        self._replay()
        return self._loss

    def _plain_step(self) -> Loss:
        return super()._step(self._batch)

    def _warm_up(self) -> None:
        """Take some steps, and undo them."""
        restore = self._snapshot()
        for _ in range(self.WARMUP_STEPS):
            self._plain_step()
        restore()
        self.optimizer.zero_grad()

    def _snapshot(self) -> Callable[[], None]:
        """Remember weights and optimiser state; the function returned puts them back in place."""
        weights = [(p, p.detach().clone()) for p in self.model.parameters()]
        known = {
            (parameter, name): value.clone()
            for parameter, state in self.optimizer.state.items()
            for name, value in state.items()
        }

        @torch.no_grad()
        def restore() -> None:
            for weight, before in weights:
                weight.copy_(before)
            for parameter, state in self.optimizer.state.items():
                for name, value in state.items():
                    value.copy_(known.get((parameter, name), torch.zeros_like(value)))

        return restore
