"""Toy models of superposition: trained, measured, and drawn as Elhage et al. 2022 draw them."""

from mitool.analysis.superposition.experiments import EXPERIMENTS
from mitool.analysis.superposition.result import SuperpositionResult
from mitool.analysis.superposition.study import (
    claim_names,
    load_families,
    restudy,
    superpose,
)

__all__ = [
    "EXPERIMENTS",
    "SuperpositionResult",
    "claim_names",
    "load_families",
    "restudy",
    "superpose",
]
