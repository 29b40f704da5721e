"""The share of a dimension that each feature has, and the polytopes that features form."""

from collections.abc import Mapping

from mitool.analysis.superposition.experiments.base import (
    Experiment,
    Families,
    prefixed,
    require_directions,
)
from mitool.analysis.superposition.experiments.geometry import uniform
from mitool.analysis.superposition.polytopes import (
    ALONE,
    OTHER,
    POLYTOPES,
    clusters,
    polytopes,
)
from mitool.core.result import Claim


def _claims(families: Families) -> Mapping[str, Claim]:
    """For each model, features near a polytope's dimensionality, and polytopes themselves."""
    claims: dict[str, Claim] = {}
    for family, studied in families.items():
        W = studied.models.W
        for name, counts in clusters(W).items():
            claims[prefixed(family, f"dimensionality_clusters.{name}")] = counts
        formed = [polytopes(one) for one in W]
        for name in (*(polytope.name for polytope in (ALONE, *POLYTOPES)), OTHER):
            counts = [of_model[name] for of_model in formed]
            claims[prefixed(family, f"polytopes.{name}")] = counts
    return claims


DIMENSIONALITY = Experiment(
    name="dimensionality",
    plans=uniform,
    claims=_claims,
    require=require_directions,
)
