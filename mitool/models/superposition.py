"""Toy models of superposition: autoencoders of sparse features, many of one shape side by side.

Elhage et al. 2022, "Toy Models of Superposition": ``x' = ReLU(W^T h + b)`` with ``h = W x``, or
with ``h = ReLU(W x)``, or computing ``|x|`` with weights of its own on either side of the hidden
layer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor

from mitool.core.config import FROZEN
from mitool.core.device import to_float64
from mitool.core.errors import InputError
from mitool.settings import OutputActivation

LARGEST = 1_000_000
"""Of weights whose losses are sure to be finite; trained ones are about 1."""

Correlation = Literal["none", "correlated", "anticorrelated"]


@checked_dataclass(frozen=True, kw_only=True, config=FROZEN)
class AutoencoderConfig:
    """What models of superposition compute, and on what features.

    Attributes:
        activation: of the outputs.
        hidden_activation: of the hidden layer; with ``relu`` its neurons are a privileged basis.
        target: the output to be: the features, which are in [0, 1], or the absolute values of
            features in [-1, 1], which are computed with weights of their own on either side.
        correlation: whether features of a set are zero or not together (correlated), or at most
            one of a set is not zero (anticorrelated).
        set_size: features of a set.
        restarts: models in a row that differ in their seed alone, of which the best counts.
    """

    n_features: Annotated[int, Field(ge=1, le=65_536)]
    n_hidden: Annotated[int, Field(ge=1, le=65_536)]
    activation: OutputActivation = "relu"
    hidden_activation: Literal["linear", "relu"] = "linear"
    target: Literal["identity", "abs"] = "identity"
    correlation: Correlation = "none"
    set_size: Annotated[int, Field(ge=1, le=65_536)] = 1
    restarts: Annotated[int, Field(ge=1, le=10_000)] = 1

    @property
    def is_tied(self) -> bool:
        """Whether the weights out of the hidden layer are those into it, transposed."""
        return self.target == "identity"

    @model_validator(mode="after")
    def _check_sets(self) -> "AutoencoderConfig":
        if self.n_features % self.set_size:
            raise ValueError(
                f"n_features: expected a multiple of {self.set_size}, the features of a set, found "
                f"{self.n_features}"
            )
        return self


@dataclass(frozen=True)
class Autoencoders:
    """Models of one shape: their weights, and the features that they are for.

    Attributes:
        density: how often a feature is not zero (a set of them, where they are correlated): 1 - S.
        importance: the weight of each feature's squared error.
        W: columns are the features' directions in the hidden layer.
        b: bias of the outputs.
        W_out: weights out of the hidden layer, where they are not ``W`` transposed.
    """

    cfg: AutoencoderConfig
    density: Float[Tensor, " instance"]
    importance: Float[Tensor, "instance feature"]
    W: Float[Tensor, "instance hidden feature"]
    b: Float[Tensor, "instance feature"]
    W_out: Float[Tensor, "instance feature hidden"] | None = None

    @classmethod
    def initialised(
        cls,
        cfg: AutoencoderConfig,
        density: Float[Tensor, " instance"],
        importance: Float[Tensor, "instance feature"],
        generators: Iterable[torch.Generator],
        scale: float = 1.0,
    ) -> "Autoencoders":
        """Untrained models: ``W`` of each from a generator of its own, ``scale`` times Glorot and
        Bengio's normal distribution ("xavier": variance 2 / (n_features + n_hidden)), and biases 0.
        """
        shape = (cfg.n_hidden, cfg.n_features)
        std = scale * (2 / sum(shape)) ** 0.5
        drawn = [
            torch.randn(1 if cfg.is_tied else 2, *shape, generator=generator) * std
            for generator in generators
        ]
        weights = torch.stack(drawn, dim=1)
        W_out = None if cfg.is_tied else weights[1].mT.contiguous()
        return cls(cfg, density, importance, weights[0], torch.zeros_like(importance), W_out)

    def __len__(self) -> int:
        return len(self.density)

    def __getitem__(self, chosen: slice | list[int]) -> "Autoencoders":
        W_out = None if self.W_out is None else self.W_out[chosen]
        return Autoencoders(
            self.cfg,
            self.density[chosen],
            self.importance[chosen],
            self.W[chosen],
            self.b[chosen],
            W_out,
        )

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> "Autoencoders":
        """The same models on a device, and in a number format if one is given."""
        moved = {name: tensor.to(device, dtype) for name, tensor in self.tensors().items()}
        return Autoencoders(self.cfg, **moved)

    @property
    def decoder(self) -> Float[Tensor, "instance feature hidden"]:
        """The weights out of the hidden layer."""
        return self.W.mT if self.W_out is None else self.W_out

    @property
    def sparsity(self) -> list[float]:
        """S of each model."""
        return (1 - to_float64(self.density)).tolist()

    def trained(self) -> dict[str, Tensor]:
        """The weights that training changes."""
        weights = {"W": self.W, "b": self.b}
        return weights if self.W_out is None else weights | {"W_out": self.W_out}

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint holds of the models."""
        return {"density": self.density, "importance": self.importance} | self.trained()

    @classmethod
    def from_tensors(cls, cfg: AutoencoderConfig, tensors: Mapping[str, Tensor]) -> "Autoencoders":
        """The models of a checkpoint.

        Raises:
            InputError: a tensor is missing, superfluous, of another shape or format, or holds what
                is no finite number; or a density is no probability above 0.
        """
        n = tensors["density"].numel() if "density" in tensors else 0
        shapes = {
            "density": (n,),
            "importance": (n, cfg.n_features),
            "W": (n, cfg.n_hidden, cfg.n_features),
            "b": (n, cfg.n_features),
        } | ({} if cfg.is_tied else {"W_out": (n, cfg.n_features, cfg.n_hidden)})
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        if found != shapes or not n:
            raise InputError(f"expected weights of shapes {shapes}, found {found}")
        for name, tensor in tensors.items():
            if tensor.dtype != torch.float32 or not tensor.isfinite().all():
                raise InputError(f"{name}: expected finite numbers in float32, found others")
        if not ((tensors["density"] > 0) & (tensors["density"] <= 1)).all():
            raise InputError("density: expected 0 < density <= 1, found others")
        return cls(cfg, **tensors)

    def require_sound(self) -> None:
        """Check what is read from a file.

        Raises:
            InputError: a weight is larger than ``LARGEST``, an importance below 0, or a model lacks
                some of its restarts.
        """
        if any((weight.abs() > LARGEST).any() for weight in self.trained().values()):
            raise InputError(f"expected weights of {LARGEST:,} at most, found larger ones")
        if (self.importance < 0).any():
            raise InputError("expected importances from 0 on, found others")
        if len(self) % self.cfg.restarts:
            raise InputError(
                f"expected {self.cfg.restarts} restarts of each model, found {len(self)} models"
            )

    def hidden(
        self, x: Float[Tensor, "instance feature example"]
    ) -> Float[Tensor, "instance hidden example"]:
        """The hidden layer's activations."""
        h = self.W @ x
        return h.relu() if self.cfg.hidden_activation == "relu" else h

    def __call__(
        self, x: Float[Tensor, "instance feature example"]
    ) -> Float[Tensor, "instance feature example"]:
        """The outputs, differentiably."""
        out = self.decoder @ self.hidden(x) + self.b[:, :, None]
        return out.relu() if self.cfg.activation == "relu" else out

    def losses(self, x: Float[Tensor, "instance feature example"]) -> Float[Tensor, " instance"]:
        """Squared error of each model: weighted by importance, summed over features and averaged
        over examples.
        """
        target = x.abs() if self.cfg.target == "abs" else x
        return (self.importance[:, :, None] * (self(x) - target).square()).sum(1).mean(-1)
