"""What an experiment on superposition returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mitool.analysis.superposition import measures
from mitool.analysis.superposition.experiments.base import Experiment, Studied, prefixed
from mitool.core.result import Result
from mitool.training.superposition import SuperpositionEvaluation


@dataclass(frozen=True)
class SuperpositionResult(Result):
    """Models of superposition, studied.

    Attributes:
        experiment: what they were studied for.
        folder: the run that trained them, or that the checkpoint lies in.
        families: the models and their losses, by the name of their family.
        history: the evaluations of the run, as far as they lie beside the checkpoint.
    """

    experiment: Experiment
    folder: Path
    families: Mapping[str, Studied]
    history: tuple[SuperpositionEvaluation, ...]

    def arrays(self) -> Mapping[str, Tensor]:
        """Weights, what they were trained for, and what is measured of every feature."""
        found: dict[str, Tensor] = {}
        for family, studied in self.families.items():
            arrays = studied.models.tensors()
            if studied.models.cfg.is_tied:
                W = studied.models.W
                arrays |= {
                    "norms": measures.norms(W),
                    "interference": measures.interference(W),
                    "dimensionality": measures.dimensionality(W),
                }
            found |= {prefixed(family, name): value for name, value in arrays.items()}
        return found
