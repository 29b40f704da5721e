"""Edge attribution patching: the gradient at the clean input.

Syed et al. 2023, arXiv 2310.10348.
"""

from jaxtyping import Float
from torch import Tensor

from mitool.analysis.circuits.attribution import EVERY, Gradients, attributed, gradients_at
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.interventions.chunk import Chunk


def eap(scoring: Scoring) -> Float[Tensor, " unit"]:
    """Scores from one gradient."""
    found = attributed(scoring.bench, scoring.units, _gradients, scoring.done)
    return scoring.sign * found


def _gradients(chunk: Chunk) -> Gradients:
    yield EVERY, gradients_at(chunk, chunk.base.read.resid_pre)
