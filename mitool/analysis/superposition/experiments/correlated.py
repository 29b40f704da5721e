"""Features that come together, or never do, and where that puts their directions."""

from collections.abc import Mapping
from typing import get_args

from mitool.analysis.superposition.directions import cosines
from mitool.analysis.superposition.experiments.base import (
    Experiment,
    Families,
    Plan,
    config,
    prefixed,
    require_plane,
    sizes,
)
from mitool.core.errors import InputError
from mitool.core.result import Claim
from mitool.models.superposition import Correlation
from mitool.settings import SuperpositionSettings

SET_SIZE = 2
NAMES: dict[Correlation, str] = {
    "none": "independent",
    "correlated": "correlated",
    "anticorrelated": "anticorrelated",
}


def _plans(settings: SuperpositionSettings) -> Mapping[str, Plan]:
    (size,) = sizes(settings, (4, 2))
    return {
        NAMES[correlation]: Plan.spread(
            config(settings, size, correlation=correlation, set_size=SET_SIZE), settings, "1"
        )
        for correlation in get_args(Correlation)
    }


def _claims(families: Families) -> Mapping[str, Claim]:
    """Mean cosines of directions within sets of features, and between sets."""
    claims: dict[str, Claim] = {}
    for family, studied in families.items():
        within, between = cosines(studied.models.W, studied.models.cfg.set_size)
        claims[prefixed(family, "cosine_within_sets")] = within
        claims[prefixed(family, "cosine_between_sets")] = between
    return claims


def _require_sets(families: Families) -> None:
    require_plane(families)
    if all(studied.models.cfg.set_size == 1 for studied in families.values()):
        raise InputError(
            "expected models of sets of features, found none; take a run of mitool superpose "
            "correlated"
        )


CORRELATED = Experiment(
    name="correlated",
    plans=_plans,
    claims=_claims,
    require=_require_sets,
)
