"""A slow twin of runs with patched edges, straight from the definition.

Each reader's stream is the sum of what every writer before it writes, its own or the source's, as
the edge between the two says; what the reader makes of it is asked of the model's own modules, by
hooks. What writers and readers are called is all that it shares with the fast way, and what writers
write in the source.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from mitool.analysis.interventions.edges import Kept
from mitool.analysis.interventions.run import Run
from mitool.analysis.interventions.table import EdgeTable
from mitool.models.decoder import Decoder
from tests.analysis.interventions.by_hooks import ByHooks
from tests.huggingface.places import PROJECTIONS as LETTERS

IsKept = Callable[[str, str], Tensor]
"""Of a writer's and a reader's name at which positions [pos, 1] the edge is kept."""


def every(writer: str, reader: str) -> Tensor:
    return torch.ones(1, 1, dtype=torch.bool)


@dataclass
class Twin:
    """A model run with an input for each reader.

    Attributes:
        writing: added to what a writer writes, for gradients and points on a way.
        reading: added to what a reader reads, for gradients.
        written: by whom what is written in the last run.
    """

    decoder: Decoder
    base: Run
    source: Run
    positions: tuple[int, ...]
    writing: Mapping[str, Tensor] = field(default_factory=dict)
    reading: Mapping[str, Tensor] = field(default_factory=dict)
    written: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def model(self) -> ByHooks:
        return ByHooks.of(self.decoder.original)

    def logits(self, kept: IsKept = every, neurons: Mapping[str, Tensor] | None = None) -> Tensor:
        model, neurons = self.model, neurons or {}
        self.written, self.besides = {}, torch.zeros(1).double()
        self._write("input", self.base.read.resid_pre)
        for layer in range(model.n_layers):
            mlp, beside = f"MLP{layer}", None
            if model.has_mlp and model.is_parallel:
                beside = self._seen(mlp, kept, neurons)
            out, besides = self._heads(layer, kept, neurons)
            for head, own in enumerate(out):
                self._write(f"L{layer}H{head}", own)
            self.besides = self.besides + besides
            if model.has_mlp:
                x = self._seen(mlp, kept, neurons) if beside is None else beside
                self._write(mlp, model.mlp(layer, x))
        x = self._seen("logits", kept, neurons)
        return model.unembed(x)[:, list(self.positions)]

    def in_source(self, writer: str) -> Tensor:
        return self._in_source[writer]

    @cached_property
    def _in_source(self) -> dict[str, Tensor]:
        found = {"input": self.source.read.resid_pre}
        for layer, own in enumerate(self.source.layers):
            found[f"MLP{layer}"] = own.mlp_out
            each = self.model.linearly(layer, own.z_written.transpose(1, 2))
            found |= {f"L{layer}H{head}": write for head, write in enumerate(each)}
        return found

    def _write(self, writer: str, own: Tensor) -> None:
        self.written[writer] = own + self.writing.get(writer, torch.zeros(1).double())

    def _seen(self, reader: str, kept: IsKept, neurons: Mapping[str, Tensor]) -> Tensor:
        total = self.reading.get(reader, torch.zeros(1).double()) + self.besides
        for writer, own in self.written.items():
            is_own = kept(writer, reader) & neurons.get(writer, torch.tensor(True))
            total = total + torch.where(is_own, own, self.in_source(writer))
        return total

    def _heads(
        self, layer: int, kept: IsKept, neurons: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """What each head writes, and what is written besides."""
        model, names = self.model, [f"L{layer}H{h}" for h in range(self.decoder.n_heads)]
        streams = [
            self._seen(f"{name}<{letter}>", kept, neurons) for letter in LETTERS for name in names
        ]
        all_ = model.projected(layer, torch.stack(streams))
        made = {}
        for number, letter in enumerate(LETTERS):
            shared = 1 if letter == "q" else model.group
            own = all_[letter].unflatten(0, (len(LETTERS), -1))[number]
            each = [x[..., head // shared, :] for head, x in enumerate(own)]
            made[letter] = torch.stack(each, dim=2)
        x = streams[0].detach()
        return model.writes(layer, x, model.z(layer, x, made))


def names_of(table: EdgeTable) -> tuple[list[str], list[str]]:
    """Readers and writers of a table, as the twin calls them."""
    readers = [f"{node}<{letter}>" if letter else str(node) for node, letter in table.readers]
    return readers, [str(node) for node in table.writers]


def slow_logits(
    twin: Twin, table: EdgeTable, kept: Kept, column_of: Tensor | None = None
) -> Tensor:
    """The logits of each variant, one variant after another."""
    (readers, writers), found = names_of(table), []
    for number, edges in enumerate(kept.edges):

        def is_kept(writer: str, reader: str, edges: Tensor = edges) -> Tensor:
            of_columns = edges[readers.index(reader), writers.index(writer)]
            if len(of_columns) == 1 or column_of is None:
                return of_columns[:1, None]
            return of_columns[column_of][:, None]

        neurons = None if kept.neurons is None else kept.neurons[number]
        chosen = {} if neurons is None else dict(zip(writers, neurons, strict=True))
        found.append(twin.logits(is_kept, chosen))
    return torch.stack(found)
