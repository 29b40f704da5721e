"""What an experiment on superposition is: models to train, and what is claimed of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from mitool.analysis.superposition import measures
from mitool.core.config import build
from mitool.core.device import Device, generator
from mitool.core.errors import InputError, UsageError
from mitool.core.result import Claim, number
from mitool.models.superposition import AutoencoderConfig, Autoencoders
from mitool.settings import SuperpositionSettings
from mitool.settings.spread import importances, sparsities
from mitool.settings.superposition import PRESETS

Size = tuple[int, int]
"""Features, and hidden dimensions."""


@dataclass(frozen=True)
class Plan:
    """Models of one shape that are to be trained.

    Attributes:
        sparsity: S of each model.
        importance: of each model, that of each feature.
        init_scale: of the first weights, beside Glorot and Bengio's.
    """

    cfg: AutoencoderConfig
    sparsity: tuple[float, ...]
    importance: tuple[tuple[float, ...], ...]
    init_scale: float = 1.0

    @classmethod
    def spread(
        cls, cfg: AutoencoderConfig, settings: SuperpositionSettings, importance: str
    ) -> "Plan":
        """One model for each sparsity, with the importances that the settings say, or these.

        Raises:
            UsageError: the importances are a list of others than there are features.
        """
        try:
            values = importances(settings.importance or importance, cfg.n_features)
        except ValueError as failure:
            raise UsageError(f"importance, {cfg.n_features} features: {failure}") from None
        spread = sparsities(settings.sparsity, settings.n_instances)
        return cls(cfg, spread, (values,) * len(spread), settings.init_scale)

    def n_bytes(self, batch_size: int) -> int:
        """Memory that training takes, roughly: weights, gradients and the optimiser's two averages
        of all models, and a step of the least that is trained at a time.
        """
        cfg, n_models = self.cfg, len(self.sparsity) * self.cfg.restarts
        weights = cfg.n_features * (cfg.n_hidden * (1 if cfg.is_tied else 2) + 1)
        step = batch_size * (3 * cfg.n_features + 2 * cfg.n_hidden) * cfg.restarts
        return 4 * (4 * n_models * weights + step)

    def build(self, seed: int, name: str, device: Device) -> Autoencoders:
        """The untrained models, each of its restarts with a seed of its own.

        Args:
            name: of the family, which draws weights of its own.
        """
        n, restarts = len(self.sparsity), self.cfg.restarts
        density = 1 - torch.tensor(self.sparsity, dtype=torch.float64)
        models = Autoencoders.initialised(
            self.cfg,
            density.float().repeat_interleave(restarts),
            torch.tensor(self.importance).repeat_interleave(restarts, dim=0),
            [generator(seed, name, "init", index) for index in range(n * restarts)],
            self.init_scale,
        )
        return models.to(device.torch_device)


@dataclass(frozen=True)
class Studied:
    """Trained models, the best of their restarts, and their losses on held-out examples."""

    models: Autoencoders
    losses: tuple[float, ...]


Families = Mapping[str, Studied]


@dataclass(frozen=True)
class Experiment:
    """An experiment of Elhage et al. 2022.

    Attributes:
        plans: the models that it trains, by the name of their family.
        claims: what it finds in them, beside what every experiment claims.
        require: checks that models, of whatever experiment, can be studied by this one, and raises
            ``InputError`` where they cannot.
    """

    name: str
    plans: Callable[[SuperpositionSettings], Mapping[str, Plan]]
    claims: Callable[[Families], Mapping[str, Claim]]
    require: Callable[[Families], None]

    @property
    def preset(self) -> SuperpositionSettings:
        """The published settings, which are its command's defaults."""
        return PRESETS[self.name].settings


def sizes(settings: SuperpositionSettings, *published: Size) -> list[Size]:
    """Features and hidden dimensions: those of the settings, or else the published ones."""
    if settings.n_features is None or settings.n_hidden is None:
        return [*published]
    return [(settings.n_features, settings.n_hidden)]


def config(settings: SuperpositionSettings, size: Size, **kind: object) -> AutoencoderConfig:
    """Models of that size, as the settings say, and of this kind.

    Raises:
        UsageError: they do not fit together.
    """
    n_features, n_hidden = size
    stated = {"n_features": n_features, "n_hidden": n_hidden, "restarts": settings.restarts}
    return build(AutoencoderConfig, stated | {"activation": settings.activation} | kind)


def family_name(size: Size) -> str:
    """Such as ``20in5``: so many features in so many dimensions."""
    return f"{size[0]}in{size[1]}"


def prefixed(family: str, name: str) -> str:
    """The name of a claim, or an array, of a family; a lone one may have no name."""
    return f"{family}.{name}" if family else name


def tied_claims(family: str, studied: Studied) -> dict[str, Claim]:
    """What is claimed of all models whose features have one direction each."""
    W = studied.models.W
    return {
        prefixed(family, "features_represented"): measures.represented(W).sum(dim=1).tolist(),
        prefixed(family, "mean_interference"): measures.mean_interference(W),
        prefixed(family, "dimensions_per_feature"): [
            number(value) for value in measures.dimensions_per_feature(W)
        ],
    }


def no_claims(families: Families) -> Mapping[str, Claim]:
    """Nothing beside what is claimed of all models."""
    return {}


def any_models(families: Families) -> None:
    """Check nothing: any models will do."""


def require_directions(families: Families) -> None:
    """Check that each feature has one direction.

    Raises:
        InputError: the weights out of the hidden layer are not those into it.
    """
    for name, studied in families.items():
        if not studied.models.cfg.is_tied:
            raise InputError(
                f"{name or 'models'}: expected models that give features one direction each, found "
                "weights of their own out of the hidden layer; mitool superpose basis draws those"
            )


def require_plane(families: Families) -> None:
    """Check that features have directions in a plane.

    Raises:
        InputError: the hidden layer has more dimensions than two, or fewer.
    """
    require_directions(families)
    for name, studied in families.items():
        if studied.models.cfg.n_hidden != 2:
            raise InputError(
                f"{name or 'models'}: expected 2 hidden dimensions, whose plane is drawn, found "
                f"{studied.models.cfg.n_hidden}; mitool superpose norms draws those"
            )
