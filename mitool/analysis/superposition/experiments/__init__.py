"""The experiments, each in a file of its own, by their names."""

from mitool.analysis.superposition.experiments.base import Experiment, Families, Plan, Studied
from mitool.analysis.superposition.experiments.basis import BASIS
from mitool.analysis.superposition.experiments.correlated import CORRELATED
from mitool.analysis.superposition.experiments.dimensionality import DIMENSIONALITY
from mitool.analysis.superposition.experiments.geometry import GEOMETRY
from mitool.analysis.superposition.experiments.intro import INTRO
from mitool.analysis.superposition.experiments.norms import NORMS
from mitool.analysis.superposition.experiments.phase import PHASE
from mitool.analysis.superposition.experiments.train import TRAIN
from mitool.core.config import nearest
from mitool.core.errors import UsageError, quoted

__all__ = ["EXPERIMENTS", "Experiment", "Families", "Plan", "Studied", "experiment"]

EXPERIMENTS = {
    found.name: found
    for found in (INTRO, NORMS, GEOMETRY, DIMENSIONALITY, PHASE, CORRELATED, BASIS, TRAIN)
}


def experiment(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in EXPERIMENTS:
        raise UsageError(f"no experiment named {quoted(name)}: {nearest(name, EXPERIMENTS)}")
    return EXPERIMENTS[name]
