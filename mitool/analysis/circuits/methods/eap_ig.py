"""Edge attribution patching with integrated gradients, over the way between the two inputs.

Hanna et al. 2024, arXiv 2403.17806 (EAP-IG inputs). As in their code the points are
corrupted + k/m (clean - corrupted), k = 0 .. m-1.
"""

from functools import partial

from jaxtyping import Float
from torch import Tensor

from mitool.analysis.circuits.attribution import EVERY, Gradients, attributed, gradients_at
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.interventions.chunk import Chunk


def eap_ig(scoring: Scoring) -> Float[Tensor, " unit"]:
    """Scores from the mean of the gradients at ``ig_steps`` inputs."""
    gradients_of = partial(_gradients, n_steps=scoring.ig_steps)
    return scoring.sign * attributed(scoring.bench, scoring.units, gradients_of, scoring.done)


def _gradients(chunk: Chunk, n_steps: int) -> Gradients:
    start, end = chunk.source.read.resid_pre, chunk.base.read.resid_pre
    total = gradients_at(chunk, start)
    for step in range(1, n_steps):
        total += gradients_at(chunk, start + step / n_steps * (end - start))
    yield EVERY, total.div_(n_steps)
