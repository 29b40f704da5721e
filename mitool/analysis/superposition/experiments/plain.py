"""Any models of superposition: what is measured of all of them."""

from collections.abc import Mapping
from dataclasses import replace

from mitool.analysis.superposition.experiments.base import Families
from mitool.analysis.superposition.experiments.intro import INTRO
from mitool.result import Claim


def _claims(families: Families) -> Mapping[str, Claim]:
    return {}


def _require_nothing(families: Families) -> None:
    """Any models will do."""


TRAIN = replace(
    INTRO,
    name="train",
    claims=_claims,
    require=_require_nothing,
)
