"""Toy models of superposition: trained, measured, and drawn as Elhage et al. 2022 draw them."""

from mitool.analysis.superposition.experiments import EXPERIMENTS
from mitool.analysis.superposition.result import SuperpositionResult
from mitool.analysis.superposition.study import load_families, restudy, superpose

__all__ = ["EXPERIMENTS", "SuperpositionResult", "load_families", "restudy", "superpose"]
