"""One step of training: loss, gradients, optimiser."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.models.transformer import ToyTransformer
from mitool.settings import TrainingSettings
from mitool.training.data import Batch
from mitool.training.loss import loss_and_gradient
from mitool.training.optimizers import learning_rate

Loss = Float[Tensor, ""]


class TrainStep:
    """Trains a model by one batch at a time.

    Attributes:
        taken: how many steps have been taken.
    """

    def __init__(
        self,
        model: ToyTransformer,
        optimizer: torch.optim.Optimizer,
        settings: TrainingSettings,
        taken: int = 0,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.settings = settings
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
        if self.taken <= self.settings.warmup:
            lr = learning_rate(self.settings, self.taken)
            for group in self.optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(lr)
                else:
                    group["lr"] = lr


class CapturedStep(TrainStep):
    """The step on one fixed batch, captured in a CUDA graph and replayed.

    The optimiser must be capturable, and its learning rate a tensor on the device.
    """

    WARMUP_STEPS = 3

    def __init__(
        self,
        model: ToyTransformer,
        optimizer: torch.optim.Optimizer,
        settings: TrainingSettings,
        batch: Batch,
        taken: int = 0,
    ) -> None:
        super().__init__(model, optimizer, settings, taken)
        self._batch = batch
        self._graph, self._loss = self._capture()

    def _step(self, batch: Batch) -> Loss:
        assert batch is self._batch, "a captured step repeats the batch it was captured with"
        self._graph.replay()
        return self._loss

    def _capture(self) -> tuple[torch.cuda.CUDAGraph, Loss]:
        """Capture a step; the steps that prepare for it are undone."""
        restore = self._snapshot()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(self.WARMUP_STEPS):
                super()._step(self._batch)
        torch.cuda.current_stream().wait_stream(stream)
        restore()
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad()
        with torch.cuda.graph(graph):
            loss = super()._step(self._batch)
        return graph, loss

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
