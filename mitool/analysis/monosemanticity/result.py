"""What is found in the models of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.core.result import Result
from mitool.models.monosemanticity import (
    FeatureMLP,
    is_monosemantic,
    monosemanticity,
    own_features,
)
from mitool.settings.monosemanticity import MonosemanticitySettings, Value
from mitool.training.monosemanticity import MonosemanticityEvaluation


@dataclass(frozen=True)
class TrainedModel:
    """A model of a sweep.

    Attributes:
        point: the values of what is swept.
        settings: all of its own.
    """

    point: Mapping[str, Value]
    settings: MonosemanticitySettings
    model: FeatureMLP


@dataclass(frozen=True)
class StudiedModel(TrainedModel):
    """A model of a sweep, and what its neurons do.

    Attributes:
        loss: squared error on held-out examples; None if the model has diverged.
        activations: of the neurons, on each feature alone at 1.
    """

    loss: float | None

    @cached_property
    def activations(self) -> Float[Tensor, "N k"]:
        return self.model.feature_activations()

    @cached_property
    def monosemanticity(self) -> Float[Tensor, " k"]:
        """Of each neuron, its largest activation as a share of their sum."""
        return monosemanticity(self.activations)

    @cached_property
    def is_monosemantic(self) -> Tensor:
        """Whether each neuron is one feature's [k]."""
        return is_monosemantic(self.activations, self.settings.mono_threshold)

    @property
    def monosemantic_neurons(self) -> int:
        return int(self.is_monosemantic.sum())

    @property
    def features_with_own_neuron(self) -> int:
        """Features that some monosemantic neuron stands for."""
        return len(own_features(self.activations)[self.is_monosemantic].unique())

    @cached_property
    def order(self) -> tuple[Int[Tensor, " k"], Int[Tensor, " N"]]:
        """Neurons from the most monosemantic on, and features by the place of the neuron that
        they activate most, with those that activate none at the end: monosemantic neurons are
        then on a diagonal.
        """
        neurons = self.monosemanticity.argsort(descending=True, stable=True)
        place = torch.empty_like(neurons)
        place[neurons] = torch.arange(len(neurons))
        largest, most_active = self.activations.max(dim=1)
        features = torch.where(largest > 0, place[most_active], len(neurons)).argsort(stable=True)
        return neurons, features


@dataclass(frozen=True)
class MonosemanticityResult(Result):
    """The models of a sweep, studied.

    Attributes:
        models: by names that say what is swept; the name of a lone one is empty.
        history: the evaluations of the run, as far as they lie beside the checkpoint.
        preset: the line of the published table that this is, if it is one.
        scale: what was made smaller of it, by its name in ``SCALES``.
    """

    models: Mapping[str, StudiedModel]
    history: tuple[MonosemanticityEvaluation, ...]
    preset: str | None
    scale: str

    @property
    def swept(self) -> Sequence[str]:
        """The names of the settings that are swept."""
        return [*next(iter(self.models.values())).point]

    def arrays(self) -> Mapping[str, Tensor]:
        """Activations on single features [N, k], and the monosemanticity of neurons [k]."""
        found: dict[str, Tensor] = {}
        for name, studied in self.models.items():
            prefix = f"{name}." if name else ""
            found[f"{prefix}activations"] = studied.activations
            found[f"{prefix}monosemanticity"] = studied.monosemanticity
        return found
