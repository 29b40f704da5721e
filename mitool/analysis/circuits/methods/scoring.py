"""What a method scores, and with what."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.units import Units


@dataclass(frozen=True)
class Scoring:
    """Units to score on pairs.

    Attributes:
        sign: 1 where the whole model's metric is larger than with nothing of it, else -1.
        gap: how far the two are apart.
        ig_steps: points of integrated gradients.
        seed: of what is drawn.
        threshold: of a method that has one, in the metric's unit.
        done: told of steps that are done.
    """

    bench: Bench
    units: Units
    sign: int = 1
    gap: float = 1.0
    ig_steps: int = 5
    threshold: float | None = None
    seed: int = 0
    done: Callable[[int], None] = lambda n: None

    def telling(self, done: Callable[[int], None]) -> "Scoring":
        """The same, of which someone is told."""
        return replace(self, done=done)


Score = Callable[[Scoring], Float[Tensor, " unit"]]
"""How much each unit carries: what the metric loses without it, of what it loses without all; in
the metric's unit, positive where the unit moves the metric towards the whole model's.
"""
