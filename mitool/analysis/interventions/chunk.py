"""Pairs of one length with their runs: what an intervention works on at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.interventions.batches import Budget, Judged
from mitool.analysis.interventions.edges import EdgeRuns
from mitool.analysis.interventions.restart import Restart
from mitool.analysis.interventions.run import Run
from mitool.models.decoder import Decoder


@dataclass(frozen=True)
class Chunk:
    """Pairs of one length with their runs.

    Attributes:
        base: what is patched.
        source: what is put in.
        group: the number of the group that the pairs are of, for the positions of columns.
        done: told of variants that are done.
        column_of: the column that each position is of, where edges are told apart by columns.
    """

    decoder: Decoder
    base: Run
    source: Run
    judged: Judged
    group: int
    budget: Budget
    done: Callable[[int], None] = lambda n: None
    column_of: Int[Tensor, " pos"] | None = None

    @cached_property
    def restart(self) -> Restart:
        return Restart(self.decoder, self.base, self.positions)

    @cached_property
    def edge_runs(self) -> EdgeRuns:
        return EdgeRuns(self.decoder, self.base, self.source, self.positions, self.column_of)

    @property
    def positions(self) -> tuple[int, ...]:
        """Where answers are read."""
        return self.judged.pairs.answer_positions

    @property
    def unpatched(self) -> Float[Tensor, " pair"]:
        return self.judged(self.base.logits[None])[0]
