"""Engineering monosemanticity: models whose neurons may each stand for one feature."""

from mitool.analysis.monosemanticity.result import MonosemanticityResult, StudiedModel
from mitool.analysis.monosemanticity.study import (
    claim_names,
    engineer_monosemanticity,
    load_models,
    restudy_monosemanticity,
)

__all__ = [
    "MonosemanticityResult",
    "StudiedModel",
    "claim_names",
    "engineer_monosemanticity",
    "load_models",
    "restudy_monosemanticity",
]
