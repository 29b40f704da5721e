"""An MLP of one hidden layer on features in superposition, and what its neurons stand for.

Jermyn, Schiefer and Hubinger 2022, "Engineering Monosemanticity in Toy Models", arXiv 2211.09169.
"""

from collections.abc import Mapping
from typing import Annotated

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from mitool.core.config import FROZEN
from mitool.core.device import generator
from mitool.core.errors import InputError
from mitool.models.activations import ACTIVATIONS
from mitool.models.weights import require_floats
from mitool.settings.monosemanticity import FeatureTask, NeuronActivation

TINY = 1e-10
"""What is added to the sum of a neuron's activations, which may be 0."""

Size = Annotated[int, Field(ge=1, le=65_536)]


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class FeatureMLPConfig:
    """What an MLP on features computes.

    Attributes:
        N: features.
        m: dimensions that they are embedded in.
        k: neurons.
        task: the output to be: the features (``decoder``), their absolute values (``abs``), or a
            second projection of them (``reproject``).
    """

    N: Size
    m: Size
    k: Size
    activation: NeuronActivation = "relu"
    task: FeatureTask = "decoder"

    @property
    def d_out(self) -> int:
        """Outputs."""
        return self.m if self.task == "reproject" else self.N


class FeatureMLP(nn.Module):
    """Features, embedded at random in fewer dimensions, then ``Linear(m, k)`` with a bias, an
    activation, and ``Linear(k, d_out)`` without one. Weights multiply from the right, as in
    TransformerLens.

    Attributes:
        W_E: the embedding, which is not trained [N, m]; the direction of each feature has norm 1.
        W_P: the projection that is to be the output, of the re-projector alone [N, m].
        W_in: [m, k].
        b_in: [k].
        W_out: [k, d_out].
    """

    W_E: Tensor
    W_P: Tensor | None

    def __init__(self, cfg: FeatureMLPConfig) -> None:
        """Make a model whose weights are all 0."""
        super().__init__()
        self.cfg = cfg
        self.register_buffer("W_E", torch.zeros(cfg.N, cfg.m))
        has_projection = cfg.task == "reproject"
        self.register_buffer("W_P", torch.zeros(cfg.N, cfg.m) if has_projection else None)
        self.W_in = nn.Parameter(torch.zeros(cfg.m, cfg.k))
        self.b_in = nn.Parameter(torch.zeros(cfg.k))
        self.W_out = nn.Parameter(torch.zeros(cfg.k, cfg.d_out))

    @classmethod
    def initialised(
        cls, cfg: FeatureMLPConfig, seed: int, initial_bias: float = 0.0
    ) -> "FeatureMLP":
        """An untrained model, with torch's first weights of linear layers: uniform within one over
        the root of the inputs.

        Args:
            initial_bias: added to the biases.
        """
        model = cls(cfg)
        with torch.no_grad():
            model.W_E.copy_(random_embedding(cfg.N, cfg.m, seed, "W_E"))
            if model.W_P is not None:
                model.W_P.copy_(random_embedding(cfg.N, cfg.m, seed, "W_P"))
            for name, fan_in in (("W_in", cfg.m), ("b_in", cfg.m), ("W_out", cfg.k)):
                bound, draws = fan_in**-0.5, generator(seed, "features", name)
                getattr(model, name).uniform_(-bound, bound, generator=draws)
            model.b_in.add_(initial_bias)
        return model

    @classmethod
    def from_tensors(cls, cfg: FeatureMLPConfig, tensors: Mapping[str, Tensor]) -> "FeatureMLP":
        """The model of a checkpoint.

        Raises:
            InputError: a tensor is missing, superfluous, or of another shape or format.
        """
        with torch.device("meta"):
            model = cls(cfg)
        expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        if found != expected:
            raise InputError(f"expected weights of shapes {expected}, found {found}")
        require_floats(tensors, (torch.float32,))
        model.load_state_dict(dict(tensors), assign=True)
        return model

    def hidden(self, x: Float[Tensor, "example N"]) -> Float[Tensor, "example k"]:
        """The activations of the neurons."""
        return ACTIVATIONS[self.cfg.activation](torch.addmm(self.b_in, x @ self.W_E, self.W_in))

    def forward(self, x: Float[Tensor, "example N"]) -> Float[Tensor, "example d_out"]:
        return self.hidden(x) @ self.W_out

    def target(self, x: Float[Tensor, "example N"]) -> Float[Tensor, "example d_out"]:
        """What the output is to be."""
        if self.W_P is not None:
            return x @ self.W_P
        return x.abs() if self.cfg.task == "abs" else x

    def errors(
        self, x: Float[Tensor, "example N"], hidden: Float[Tensor, "example k"]
    ) -> Float[Tensor, " example"]:
        """The squared error of each example, summed over outputs.

        Args:
            hidden: the activations of the neurons on ``x``.
        """
        return (hidden @ self.W_out - self.target(x)).square().sum(dim=1)

    @torch.no_grad()
    def feature_activations(self, others: list[int] | None = None) -> Float[Tensor, "N k"]:
        """The activations of the neurons on each feature alone, at 1.

        Args:
            others: features that are 1 as well, for every row.
        """
        x = torch.eye(self.cfg.N, device=self.W_E.device)
        x[:, others or []] = 1
        return self.hidden(x)


def random_embedding(N: int, m: int, seed: int, name: str) -> Float[Tensor, "N m"]:
    """Directions of features: the left singular vectors of a random matrix, as rows of norm 1."""
    matrix = torch.randn(N, m, generator=generator(seed, "features", name), dtype=torch.float64)
    # of fewer features than dimensions there are too few singular vectors
    directions = matrix if m > N else torch.linalg.svd(matrix, full_matrices=False).U
    return nn.functional.normalize(directions, dim=1).float()


def monosemanticity(activations: Float[Tensor, "N k"]) -> Float[Tensor, " k"]:
    """Of each neuron, the largest of its activations on single features as a share of their sum.

    Where activations can be negative, as GeLU's can, a share may be more than 1.
    """
    return activations.amax(dim=0) / (TINY + activations.sum(dim=0))


def is_monosemantic(activations: Float[Tensor, "N k"], threshold: float) -> Bool[Tensor, " k"]:
    """Whether one feature has more than that share of a neuron's activations."""
    return monosemanticity(activations) > threshold


def own_features(activations: Float[Tensor, "N k"]) -> Int[Tensor, " k"]:
    """The feature on which each neuron is most active."""
    return activations.argmax(dim=0)
