"""Which features are represented, and which of them share their dimensions."""

from collections.abc import Mapping

from mitool.analysis.superposition.experiments.base import (
    Experiment,
    Plan,
    config,
    family_name,
    no_claims,
    require_directions,
    sizes,
)
from mitool.settings import SuperpositionSettings

PUBLISHED = ((20, 5), (100, 20))


def _plans(settings: SuperpositionSettings) -> Mapping[str, Plan]:
    return {
        family_name(size): Plan.spread(config(settings, size), settings, "1..0.01")
        for size in sizes(settings, *PUBLISHED)
    }


NORMS = Experiment(
    name="norms",
    plans=_plans,
    claims=no_claims,
    require=require_directions,
)
