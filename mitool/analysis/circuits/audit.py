"""How far scores can be trusted: some units patched exactly beside them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.circuits.methods.exact import exact_of
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.statistics import pearson, spearman
from mitool.core.device import generator

ROUNDING = 1e-6
"""Of the largest exact score, below which another one has no sign."""


@dataclass(frozen=True)
class Audit:
    """Scores beside what patching does.

    Attributes:
        units: which were patched.
    """

    units: Int[Tensor, " audited"]
    scores: Float[Tensor, " audited"]
    exact: Float[Tensor, " audited"]

    @property
    def pearson(self) -> float:
        return pearson(self.scores, self.exact)

    @property
    def spearman(self) -> float:
        return spearman(self.scores, self.exact)

    @property
    def sign_agreement(self) -> float:
        """Share of the units whose patch does something that have a score of the same sign."""
        does = self.exact.abs() > ROUNDING * self.exact.abs().max()
        same = self.scores.sign() == self.exact.sign()
        return same[does].double().mean().item()


def audit(scoring: Scoring, scores: Float[Tensor, " unit"], n: int) -> Audit:
    """Patch a random sample of units; all, where there are no more."""
    order = torch.randperm(len(scores), generator=generator(scoring.seed, "audit"))
    chosen = order[:n].sort().values
    return Audit(chosen, scores[chosen], exact_of(scoring, chosen))
