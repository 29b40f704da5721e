"""The mean of the gradients at the clean and at the corrupted input.

Hanna et al. 2024, arXiv 2403.17806: integrated gradients with no point but the two ends.
"""

from jaxtyping import Float
from torch import Tensor

from mitool.analysis.circuits.attribution import EVERY, Gradients, attributed, gradients_at
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.interventions.chunk import Chunk


def clean_corrupted(scoring: Scoring) -> Float[Tensor, " unit"]:
    """Scores from two gradients."""
    found = attributed(scoring.bench, scoring.units, _gradients, scoring.done)
    return scoring.sign * found


def _gradients(chunk: Chunk) -> Gradients:
    found = gradients_at(chunk, chunk.base.read.resid_pre)
    found += gradients_at(chunk, chunk.source.read.resid_pre)
    yield EVERY, found / 2
