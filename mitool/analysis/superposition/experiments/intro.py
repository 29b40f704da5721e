"""Five features in a plane: from an orthogonal pair to a pentagon."""

from collections.abc import Mapping

from mitool.analysis.superposition.directions import neighbour_angles
from mitool.analysis.superposition.experiments.base import (
    Experiment,
    Families,
    Plan,
    config,
    prefixed,
    require_plane,
    sizes,
)
from mitool.core.result import Claim
from mitool.settings import SuperpositionSettings


def _plans(settings: SuperpositionSettings) -> Mapping[str, Plan]:
    (size,) = sizes(settings, (5, 2))
    return {"": Plan.spread(config(settings, size), settings, "0.9^i")}


def _claims(families: Families) -> Mapping[str, Claim]:
    """The angles between neighbouring directions of each model, in degrees."""
    return {
        prefixed(family, f"angles.{index}"): neighbour_angles(W)
        for family, studied in families.items()
        for index, W in enumerate(studied.models.W)
    }


INTRO = Experiment(
    name="intro",
    plans=_plans,
    claims=_claims,
    require=require_plane,
)
