"""Training steps of some models of superposition, written out by hand.

The models have nothing in common but their shape, so that each block of them is trained apart from
the others, on a thread of its own, with what it works on in the processor's caches. The gradient
is worked out by hand in place, in five matrix products and two passes over the outputs; it is
``autograd``'s, as a test shows.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from mitool.device import HOST
from mitool.models.superposition import Autoencoders
from mitool.training.superposition.config import SuperpositionConfig
from mitool.training.superposition.sampling import fill

LEAST_DRAWN = 2**15
"""Numbers that are drawn at a time for a model: fewer, and starting to draw takes longer."""


class Block:
    """Some of the models, their optimiser, and the memory that their steps work in.

    Attributes:
        models: which share their memory with all of the models.
        first: the index of the first of them among all.
        gradients: of the last step, by the names of the weights.
    """

    def __init__(
        self, models: Autoencoders, first: int, name: str, config: SuperpositionConfig
    ) -> None:
        """Prepare to train ``models``, in place.

        Args:
            name: of the family that they are of, which draws examples of its own.
        """
        self.models = models
        self.first = first
        self._name, self._seed = name, config.seed
        settings = config.settings
        self.parameters = {
            key: value.detach().requires_grad_() for key, value in models.trained().items()
        }
        self.gradients = {key: torch.zeros_like(value) for key, value in self.parameters.items()}
        for key, parameter in self.parameters.items():
            parameter.grad = self.gradients[key]
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), settings.lr, weight_decay=settings.weight_decay, fused=True
        )
        self._weight = (2 / settings.batch_size * models.importance)[:, :, None]
        self._n_drawn = steps_drawn(models.cfg.n_features, settings.batch_size)
        shape = (len(models), models.cfg.n_features, settings.batch_size)
        hidden = (len(models), models.cfg.n_hidden, settings.batch_size)
        self._drawn = torch.empty(shape[0], self._n_drawn, *shape[1:], device=HOST)
        self._drawn_for = -1
        self._z, self._error = models.W.new_empty(2, *shape).unbind()
        self._h, self._d_h = models.W.new_empty(2, *hidden).unbind()

    @torch.no_grad()
    def train(self, start: int, stop: int) -> None:
        """Take the steps ``start`` to ``stop - 1``."""
        for step in range(start, stop):
            self._set_gradients(self.examples(step))
            self.optimizer.step()

    def examples(self, step: int) -> Tensor:
        """The features of a step [instance, feature, example]: on any device, the same."""
        number, index = divmod(step, self._n_drawn)
        if number != self._drawn_for:
            for i, density in enumerate(self.models.density.tolist()):
                features = self._drawn[i].numpy()
                where = (self._name, "batch", number, self.first + i)
                fill(features, self.models.cfg, density, self._seed, *where)
            self._drawn_for = number
        return self._drawn[:, index].to(self._z.device, non_blocking=True)

    def _set_gradients(self, x: Tensor) -> None:
        cfg, W, b = self.models.cfg, self.models.W, self.models.b[:, :, None]
        decoder, z, error, h, d_h = self.models.decoder, self._z, self._error, self._h, self._d_h
        is_relu, has_neurons = cfg.activation == "relu", cfg.hidden_activation == "relu"

        torch.bmm(W, x, out=h)
        if has_neurons:
            h.relu_()
        torch.baddbmm(b, decoder, h, out=z)
        torch.sub(z, x.abs() if cfg.target == "abs" else x, out=error)
        if is_relu:
            torch.ops.aten.threshold_backward(error, z, 0, grad_input=error)
        error *= self._weight  # the gradient with respect to z
        torch.bmm(decoder.mT, error, out=d_h)
        if has_neurons:
            torch.ops.aten.threshold_backward(d_h, h, 0, grad_input=d_h)

        torch.sum(error, 2, out=self.gradients["b"])
        torch.bmm(d_h, x.mT, out=self.gradients["W"])
        if cfg.is_tied:
            self.gradients["W"].baddbmm_(h, error.mT)
        else:
            torch.bmm(error, h.mT, out=self.gradients["W_out"])

    def state(self) -> Mapping[str, Mapping[str, Tensor]]:
        """The optimiser's state of each parameter, as tensors with an axis of models."""
        return {
            name: {
                key: value if value.ndim else value.expand(len(self.models))
                for key, value in self.optimizer.state.get(parameter, {}).items()
            }
            for name, parameter in self.parameters.items()
        }

    def restore(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Put back what ``state`` gave."""
        for name, parameter in self.parameters.items():
            self.optimizer.state[parameter] = {
                key: (value[0] if key == "step" else value).clone()
                for key, value in state[name].items()
            }


def steps_drawn(n_features: int, batch_size: int) -> int:
    """How many steps' examples are drawn at a time."""
    return max(1, LEAST_DRAWN // (n_features * batch_size))
