"""How much of what a model does a circuit does: shares of the metric, and their curve.

Faithfulness is (circuit - empty) / (full - empty): of the metric with the circuit alone, with
nothing, and with the whole model (MIB, Mueller et al. 2025, arXiv 2504.13151).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from mitool.analysis.circuits.outcomes import Outcomes
from mitool.analysis.statistics import bootstrap_ratio

ZERO = 1e-5
"""A gap that is no more than this share of the metric's size, mean over pairs, is rounding."""


@dataclass(frozen=True)
class Ends:
    """The metric of each pair with the whole model, and with nothing of it."""

    full: Float[Tensor, " pair"]
    empty: Float[Tensor, " pair"]

    @classmethod
    def of(cls, found: Outcomes) -> "Ends":
        """Of runs with all units, and with none."""
        return cls(found.metric[0], found.metric[1])

    @property
    def gap(self) -> Float[Tensor, " pair"]:
        return self.full - self.empty

    @property
    def is_defined(self) -> bool:
        """Whether the two differ."""
        size = (self.full.abs() + self.empty.abs()).mean()
        return bool(self.gap.mean().abs() > ZERO * size)

    def faithfulness(self, metric: Float[Tensor, "circuit pair"]) -> Float[Tensor, " circuit"]:
        """Of means over pairs; NaN where the ends do not differ."""
        if not self.is_defined:
            return torch.full((len(metric),), torch.nan, dtype=torch.float64)
        return (metric - self.empty).mean(dim=1) / self.gap.mean()

    def interval(
        self,
        metric: Float[Tensor, "circuit pair"],
        groups: Int[Tensor, " pair"],
        n_resamples: int,
        generator: Generator,
    ) -> Float[Tensor, "2 circuit"]:
        """Bootstrap intervals (95 %) of faithfulness over groups of pairs; NaN for one group."""
        kept = metric - self.empty
        return torch.stack(bootstrap_ratio(kept, self.gap, groups, n_resamples, generator))


@dataclass(frozen=True)
class Curve:
    """Faithfulness of circuits of growing size.

    Attributes:
        fractions: of all units, that are kept.
        sizes: how many those are.
        signed: faithfulness of those with the largest scores.
        absolute: of those with the largest scores of either sign.
    """

    fractions: tuple[float, ...]
    sizes: tuple[int, ...]
    signed: Float[Tensor, " point"]
    absolute: Float[Tensor, " point"]

    @property
    def cpr(self) -> float:
        """Circuit performance ratio: the area under the curve of the signed ranking, by
        trapezoids between the fractions. The larger the better.
        """
        return self._area(self.signed)

    @property
    def cmd(self) -> float:
        """Circuit-model distance: the area between the curve of the absolute ranking and 1. The
        smaller the better; a ranking by chance has 0.75 where what is chosen acts as one.
        """
        return self._area((1 - self.absolute).abs())

    def _area(self, heights: Float[Tensor, " point"]) -> float:
        places = torch.tensor(self.fractions, dtype=torch.float64)
        return torch.trapezoid(heights.double(), places).item()
