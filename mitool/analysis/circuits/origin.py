"""Where a circuit comes from: what it was found on, how, and what it was tested on."""

from dataclasses import dataclass

from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.methods import Method
from mitool.settings import CircuitSettings


@dataclass(frozen=True)
class Origin:
    """Where a circuit comes from, and what it was tested on.

    Attributes:
        method: what scored its units; None where scores or the circuit itself were given.
        reached: the faithfulness that it was chosen for; None where its size was asked for.
    """

    found_on: Bench
    tested_on: Bench
    settings: CircuitSettings
    method: Method | None
    reached: float | None
    seed: int

    @property
    def is_held_out(self) -> bool:
        """Whether it was tested on pairs that it was not found on."""
        return bool(self.settings.holdout)
