"""Circuits as the EAP-IG code saves them with torch: ``Graph.to_pt``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from mitool.analysis.circuits.files.stored import (
    StoredCircuit,
    assembled,
    named,
    placed,
    require_model,
)
from mitool.analysis.interventions.table import EdgeTable
from mitool.core.errors import InputError
from mitool.settings import Level
from mitool.storage.state_dict import require_plain

REQUIRED = ("cfg", "src_nodes", "dst_nodes", "edges_scores", "edges_in_graph", "nodes_in_graph")

Content = Literal["flags", "scores"]


def read(held: Any, file_size: int, table: EdgeTable, d_model: int) -> StoredCircuit:
    """The circuit that a file holds, whose writers and readers are known by their names.

    A node or neuron whose score is NaN has none. What stands at places that are no edges is not
    looked at: choosing nodes, the EAP-IG code takes whole rows into the graph.

    Args:
        held: what torch read.
        file_size: in bytes, which no tensor can exceed.

    Raises:
        InputError: keys are missing, or hold something else, or it is of another model.
    """
    if not isinstance(held, dict):
        raise InputError(f"expected a dictionary with {', '.join(REQUIRED)}, found {named(held)}")
    missing = [name for name in REQUIRED if name not in held]
    if missing:
        raise InputError(
            f"expected a circuit with {', '.join(REQUIRED)}, found no {', '.join(missing)}"
        )
    require_model(held["cfg"], table, d_model)
    file = _File(held, file_size, table)
    has_neurons = "neurons_in_graph" in held
    scores: dict[Level, Tensor] = {"edge": file.at_edges("edges_scores", "scores")}
    if "nodes_scores" in held:
        scores["node"] = file.at_writers("nodes_scores", "scores")
    if "neurons_scores" in held:
        scores["neuron"] = file.at_writers("neurons_scores", "scores", d_model)
    return assembled(
        table,
        file.at_edges("edges_in_graph", "flags"),
        file.at_writers("nodes_in_graph", "flags"),
        file.at_writers("neurons_in_graph", "flags", d_model) if has_neurons else None,
        scores,
    )


@dataclass(frozen=True)
class _File:
    """Tensors of a file, placed as those of a table are."""

    held: Mapping[str, Any]
    size: int
    table: EdgeTable

    @cached_property
    def _rows(self) -> list[int]:
        readers = [f"{node}<{own}>" if own else str(node) for node, own in self.table.readers]
        return _places("dst_nodes", self.held["dst_nodes"], readers)

    @cached_property
    def _columns(self) -> list[int]:
        return _places("src_nodes", self.held["src_nodes"], [str(w) for w in self.table.writers])

    def at_edges(self, name: str, content: Content) -> Tensor:
        """Of edges: [reader, writer, 1]."""
        values = self._values(name, content, len(self._columns), len(self._rows))
        found = torch.zeros(self.table.exists.shape, dtype=values.dtype)
        rows, columns = (torch.tensor(of, dtype=torch.int64) for of in (self._rows, self._columns))
        found[rows[:, None], columns] = values.T
        found[~self.table.exists] = 0
        return _finite(name, found)[..., None]

    def at_writers(self, name: str, content: Content, *width: int) -> Tensor:
        """Of nodes or of neurons: [writer] or [writer, d_model]."""
        values = self._values(name, content, len(self._columns), *width)
        found = torch.zeros(len(self.table.writers), *width, dtype=values.dtype)
        found[self._columns] = values
        return _finite(name, found.masked_fill(found.isnan(), 0))

    def _values(self, name: str, content: Content, *shape: int) -> Tensor:
        """A tensor of the file."""
        value, expected = self.held[name], f"{content} of the shape {shape} as {name!r}"
        if not isinstance(value, Tensor):
            raise InputError(f"expected {expected}, found {named(value)}")
        require_plain(name, value, self.size)
        fits = value.dtype == torch.bool if content == "flags" else value.is_floating_point()
        if tuple(value.shape) != shape or not fits:
            raise InputError(
                f"expected {expected}, found {value.dtype} of the shape {tuple(value.shape)}"
            )
        return value.detach().to(torch.bool if content == "flags" else torch.float64)


def _places(kind: str, names: Any, known: Sequence[str]) -> list[int]:
    """Where the nodes of a list stand among those of the model."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"expected a list of names as {kind!r}, found {named(names)}")
    places = placed(f"{kind!r}", names, known)
    return [places[name] for name in names]


def _finite(name: str, values: Tensor) -> Tensor:
    if not values.isfinite().all():
        raise InputError(f"expected finite numbers as {name!r}, found NaN or infinity")
    return values
