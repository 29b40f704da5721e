"""Training steps of some models of superposition, written out by hand.

The models have nothing in common but their shape, so that each block of them is trained apart from
the others, on a thread of its own, with what it works on in the processor's caches. The gradient
is worked out by hand in place, in five matrix products and two passes over the outputs; it is
``autograd``'s, as a test shows.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.models.superposition import Autoencoders
from mitool.training.state import restore_optimizer
from mitool.training.superposition.config import SuperpositionConfig
from mitool.training.superposition.examples import Examples


class Memory:
    """What a step of some models works in: inputs of the output's activation, errors, hidden
    activations and their gradient.
    """

    def __init__(self, models: Autoencoders, batch_size: int) -> None:
        outputs = (len(models), models.cfg.n_features, batch_size)
        hidden = (len(models), models.cfg.n_hidden, batch_size)
        self.z, self.error = models.W.new_empty(2, *outputs).unbind()
        self.h, self.d_h = models.W.new_empty(2, *hidden).unbind()


class Block:
    """Some of the models, and their optimiser.

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
        settings = config.settings
        self._name, self._seed, self._batch_size = name, config.seed, settings.batch_size
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

    @torch.no_grad()
    def train(self, start: int, stop: int) -> None:
        """Take the steps ``start`` to ``stop - 1``, in memory that is given back afterwards."""
        examples, memory = self.examples(), Memory(self.models, self._batch_size)
        for step in range(start, stop):
            self._set_gradients(examples[step], memory)
            self.optimizer.step()

    @torch.no_grad()
    def gradients_of(self, step: int) -> Mapping[str, Tensor]:
        """The gradients that a step goes by, by the names of the weights."""
        x = self.examples()[step].to(self.models.W.dtype)
        self._set_gradients(x, Memory(self.models, self._batch_size))
        return self.gradients

    def examples(self) -> Examples:
        """What the models are trained on."""
        return Examples(self.models, self.first, self._name, self._seed, self._batch_size)

    def _set_gradients(self, x: Float[Tensor, "instance feature example"], memory: Memory) -> None:
        cfg, W, b = self.models.cfg, self.models.W, self.models.b[:, :, None]
        decoder, z, error = self.models.decoder, memory.z, memory.error
        h, d_h = memory.h, memory.d_h
        is_relu, has_neurons = cfg.activation == "relu", cfg.hidden_activation == "relu"

        torch.bmm(W, x, out=h)
        if has_neurons:
            h.relu_()
        torch.baddbmm(b, decoder, h, out=z)
        torch.sub(z, x.abs() if cfg.target == "abs" else x, out=error)
        if is_relu:
            torch.ops.aten.threshold_backward(error, z, 0, grad_input=error)
        # the gradient with respect to z is `error` times each feature's weight, which is brought
        # in where there is less to multiply
        weight = self._weight
        torch.bmm((decoder * weight).mT, error, out=d_h)
        if has_neurons:
            torch.ops.aten.threshold_backward(d_h, h, 0, grad_input=d_h)

        gradients = self.gradients
        torch.sum(error, 2, out=gradients["b"])
        gradients["b"] *= weight[..., 0]
        if cfg.is_tied:
            torch.bmm(h, error.mT, out=gradients["W"])
            gradients["W"] *= weight.mT
            gradients["W"].baddbmm_(d_h, x.mT)
        else:
            torch.bmm(d_h, x.mT, out=gradients["W"])
            torch.bmm(error, h.mT, out=gradients["W_out"])
            gradients["W_out"] *= weight

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
        """Put back what ``state`` gave.

        Raises:
            InputError: it is the state of other models.
        """
        states = {
            parameter: {
                key: (value[0] if key == "step" else value).clone()
                for key, value in state[name].items()
            }
            for name, parameter in self.parameters.items()
            if state[name]
        }
        restore_optimizer(self.optimizer, states)
