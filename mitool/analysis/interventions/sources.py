"""What is put into a run in the place of its own activations."""

from collections.abc import Sequence

from jaxtyping import Int
from torch import Tensor

from mitool.analysis.interventions.ablate import averaged, columns_at, means_of, zeroed
from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.material import Material
from mitool.analysis.interventions.run import Run
from mitool.settings import Ablation


class Sources:
    """The other run's activations, zeros, or means over the clean inputs of pairs.

    Args:
        budget: how much the runs that means are taken over may hold at a time.
        over: the numbers of the pairs that means are taken over; left out, all.
    """

    def __init__(
        self,
        material: Material,
        ablation: Ablation,
        budget: Budget,
        over: Int[Tensor, " pair"] | None = None,
    ) -> None:
        self.ablation = ablation
        self._columns = _columns(material, ablation)
        if self._columns:
            chunks = material.chunks(budget, over)
            runs = ((material.clean(pairs), group) for group, pairs in chunks)
            self._means = means_of(runs, self._columns)

    def of(self, other: Run, group: int) -> Run:
        """What is put in for pairs of a group.

        Args:
            other: the run of the pairs that activations are patched from.
        """
        if self._columns:
            column_of = columns_at(self._columns, group, other.n_positions)
            return averaged(other, self._means, column_of)
        return zeroed(other) if self.ablation == "zero" else other


def _columns(material: Material, ablation: Ablation) -> Sequence[Column]:
    """Positions that share a mean; none where there are no means."""
    if ablation == "mean-positional":
        return material.columns
    if ablation == "mean":
        return [Column("all", "", tuple((0, pairs.clean.shape[1]) for pairs in material.groups))]
    return []
