"""What nodes write, replaced for all readers: whole, or in one dimension."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.restart import Entry, Stage


@dataclass(frozen=True)
class Written:
    """What a writer writes.

    Attributes:
        writer: its number in the table.
        neuron: a dimension of it; None: all.
    """

    writer: int
    neuron: int | None


class NodeReplacement:
    """Puts what nodes write in a chunk's source into its base run."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk, self.table = chunk, chunk.edge_runs.table
        differs = chunk.edge_runs.differences.any(dim=-1).any(dim=1)
        self.starts = differs.int().argmax(dim=-1).tolist()

    def start(self, unit: Written) -> int:
        """The first position at which the writer writes something else."""
        return self.starts[unit.writer]

    def kind(self, unit: Written) -> Hashable:
        """Units of one kind enter at one place."""
        return self._place(unit), self.start(unit)

    @torch.no_grad()
    def entry(self, units: Sequence[Written]) -> Entry:
        """The variants in which each unit is replaced alone.

        Args:
            units: of one kind.
        """
        (layer, stage), start = self._place(units[0]), self.start(units[0])
        base = self.chunk.base
        own = base.layers[layer].resid_mid if stage == "mid" else base.resid_pre(layer)
        changes = torch.stack([self._change(unit) for unit in units])
        return Entry(layer, stage, start, (own + changes)[:, :, start:])

    def _place(self, unit: Written) -> tuple[int, Stage]:
        node = self.table.writers[unit.writer]
        if node.kind == "input":
            return 0, "pre"
        if node.kind == "a" and not self.chunk.decoder.is_parallel:
            return node.layer, "mid"
        return node.layer + 1, "pre"

    def _change(self, unit: Written) -> Float[Tensor, "pair pos d_model"]:
        whole = self.chunk.edge_runs.differences[unit.writer]
        if unit.neuron is None:
            return whole
        found = torch.zeros_like(whole)
        found[..., unit.neuron] = whole[..., unit.neuron]
        return found
