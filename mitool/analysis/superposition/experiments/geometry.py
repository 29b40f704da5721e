"""How many dimensions a feature has, over sparsity: it sticks at 1 and at 1/2."""

from collections.abc import Mapping

from mitool.analysis.superposition import measures
from mitool.analysis.superposition.experiments.base import (
    Experiment,
    Families,
    Plan,
    config,
    prefixed,
    require_directions,
    sizes,
)
from mitool.core.result import Claim, number
from mitool.settings import SuperpositionSettings

PLATEAUS = {"1": 1.0, "half": 0.5}
"""Where ``D*`` sticks, by the names that claims give them."""

NEAR = 0.05
"""How near to a plateau counts."""


def uniform(settings: SuperpositionSettings) -> Mapping[str, Plan]:
    """Many features of the same importance, of which there are ten for each dimension."""
    (size,) = sizes(settings, (200, 20))
    return {"": Plan.spread(config(settings, size), settings, "1")}


def _claims(families: Families) -> Mapping[str, Claim]:
    """Whether a model is within 0.05 of a plateau, and the share of its represented features that
    are: of each model, and of the features of all; None where no feature is represented.
    """
    claims: dict[str, Claim] = {}
    for family, studied in families.items():
        W = studied.models.W
        of_model, of_feature = measures.dimensions_per_feature(W), measures.dimensionality(W)
        is_represented = measures.represented(W)
        for name, value in PLATEAUS.items():
            models = (of_model - value).abs() < NEAR
            features = ((of_feature - value).abs() < NEAR) & is_represented
            near, of = features.sum(dim=1).double(), is_represented.sum(dim=1)
            claims[prefixed(family, f"models_near_{name}")] = int(models.sum())
            claims[prefixed(family, f"features_near_{name}")] = [number(s) for s in near / of]
            claims[prefixed(family, f"share_near_{name}")] = number(near.sum() / of.sum())
    return claims


GEOMETRY = Experiment(
    name="geometry",
    plans=uniform,
    claims=_claims,
    require=require_directions,
)
