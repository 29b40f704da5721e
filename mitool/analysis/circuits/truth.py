"""How well a circuit is the one that is known to be right."""

import math
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.circuits.circuit import Circuit
from mitool.analysis.circuits.units import Units
from mitool.analysis.statistics import auroc


@dataclass(frozen=True)
class Agreement:
    """A circuit and the scores that it was chosen by, against a true circuit.

    Attributes:
        precision: the share of what was chosen that is in the true circuit; NaN where nothing was.
        recall: the share of the true circuit that was chosen; NaN where it is empty.
        auroc: how often a unit of the true circuit is stronger than another one, ties counting
            half; NaN without scores, and where the true circuit is empty or everything.
    """

    precision: float
    recall: float
    auroc: float


def agreement(
    units: Units,
    chosen: Bool[Tensor, " unit"],
    scores: Float[Tensor, " unit"] | None,
    truth: Circuit,
) -> Agreement:
    """Compare what was chosen with a true circuit, unit by unit.

    Args:
        scores: a unit is the stronger the larger the size of its score, whatever the sign.
    """
    is_true = units.units_of(truth)
    n_right = int((chosen & is_true).sum())
    return Agreement(
        precision=_share(n_right, int(chosen.sum())),
        recall=_share(n_right, int(is_true.sum())),
        auroc=math.nan if scores is None else auroc(scores.abs(), is_true),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
