"""Circuits as the JSON of the EAP-IG code, ``Graph.to_json``, and as mitool's, which is the same
with what edges have at each position.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from mitool.analysis.circuits.files.stored import (
    StoredCircuit,
    assembled,
    cfg_of,
    named,
    placed,
    require_model,
)
from mitool.analysis.circuits.files.values import flag_of, list_of, object_of, score_of
from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.table import EdgeTable
from mitool.core.errors import InputError, first_few, said
from mitool.core.node_names import published
from mitool.core.strict_json import parsed

LOGITS = "logits"
IN_GRAPH, SCORE, NEURONS, NEURON_SCORES = "in_graph", "score", "neurons", "neurons_scores"
POSITIONS = "positions"
"""Beside the score of an edge, what it has at each position: mitool's own."""

T = TypeVar("T")


def as_json(
    stored: StoredCircuit, d_model: int, columns: tuple[Column, ...] = ()
) -> dict[str, Any]:
    """A circuit as the document of the EAP-IG code, which asks for a score of every edge: 0 where
    there is none.

    An edge that is told apart by position has the sum of its scores and whether it is in anywhere,
    and under ``positions`` what it has at each.

    Args:
        columns: of the pairs, where edges are told apart by them.
    """
    table = stored.circuit.table
    names = [column.name for column in columns]
    edges = zip(map(published, map(str, table.edges)), _written_edges(stored, names), strict=True)
    return {
        "cfg": cfg_of(table, d_model),
        "nodes": dict(_written_nodes(stored)),
        "edges": dict(edges),
    }


def _written_nodes(stored: StoredCircuit) -> Iterator[tuple[str, dict[str, Any]]]:
    circuit, scores = stored.circuit, stored.scores
    for place, node in enumerate(circuit.table.writers):
        found: dict[str, Any] = {IN_GRAPH: bool(circuit.nodes[place])}
        if "node" in scores:
            found[SCORE] = scores["node"][place].item()
        if circuit.neurons is not None:
            found[NEURONS] = circuit.neurons[place].tolist()
        if "neuron" in scores:
            found[NEURON_SCORES] = scores["neuron"][place].tolist()
        yield published(str(node)), found
    yield LOGITS, {IN_GRAPH: True}


def _written_edges(stored: StoredCircuit, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    exists = stored.circuit.table.exists
    flags = stored.circuit.edges[exists]
    scores = stored.scores.get("edge", torch.zeros(*exists.shape, 1))[exists]
    for own_scores, own_flags in zip(scores.tolist(), flags.tolist(), strict=True):
        found: dict[str, Any] = {SCORE: math.fsum(own_scores), IN_GRAPH: any(own_flags)}
        places: dict[str, dict[str, Any]] = {}
        for key, values in ((SCORE, own_scores), (IN_GRAPH, own_flags)):
            if len(values) > 1:
                for name, value in zip(names, values, strict=True):
                    places.setdefault(name, {})[key] = value
        yield found | ({POSITIONS: places} if places else {})


def read(
    text: str, table: EdgeTable, d_model: int, columns: tuple[Column, ...] = ()
) -> StoredCircuit:
    """The circuit that a document of either version holds; the older one says of a node only
    whether it is in. A score that is missing or null is 0.

    Raises:
        InputError: it is no JSON, keys are missing or hold something else, it names neurons of only
            some nodes, positions of only some edges or such as there are not, or it is of another
            model.
    """
    document = _document(text)
    require_model(document["cfg"], table, d_model)
    nodes = _read_nodes(document["nodes"], table, d_model)
    flags, scores = _read_edges(document["edges"], table, [column.name for column in columns])
    return assembled(
        table,
        flags,
        nodes.flags,
        nodes.neurons,
        {"edge": scores, "node": nodes.scores, "neuron": nodes.neuron_scores},
    )


def _document(text: str) -> dict[str, Any]:
    try:
        found = parsed(text)
    except RecursionError:
        raise InputError("expected the JSON of a circuit, found too many levels") from None
    except ValueError as failure:
        raise InputError(f"expected the JSON of a circuit; found: {said(failure)}") from failure
    document = object_of("the file", found)
    for name in ("cfg", "nodes", "edges"):
        if name not in document:
            held = first_few([named(key) for key in document]) or "none"
            raise InputError(f"expected the keys 'cfg', 'nodes' and 'edges', found {held}")
        object_of(f"{name!r}", document[name])
    return document


@dataclass(frozen=True)
class _Nodes:
    """What a document says of nodes, as tables."""

    flags: Tensor
    scores: Tensor
    neurons: Tensor | None
    neuron_scores: Tensor


def _read_nodes(given: Mapping[str, Any], table: EdgeTable, d_model: int) -> _Nodes:
    places = placed("nodes", list(given), [*map(str, table.writers), LOGITS])
    flags = torch.zeros(len(table.writers), dtype=torch.bool)
    scores = torch.zeros(len(table.writers), dtype=torch.float64)
    neurons, neuron_scores = (values[:, None].repeat(1, d_model) for values in (flags, scores))
    silent, telling = list[str](), list[str]()
    for name, value in given.items():
        where = f"node {name}"
        own = {IN_GRAPH: value} if isinstance(value, bool) else object_of(where, value)
        is_in = flag_of(where, IN_GRAPH, own.get(IN_GRAPH))
        if name == LOGITS:  # it writes nothing, and is always in
            continue
        flags[places[name]], scores[places[name]] = is_in, score_of(where, SCORE, own.get(SCORE))
        if NEURONS in own:
            values = list_of(where, NEURONS, own[NEURONS], d_model)
            neurons[places[name]] = torch.tensor([flag_of(where, NEURONS, v) for v in values])
        if NEURON_SCORES in own:
            values = list_of(where, NEURON_SCORES, own[NEURON_SCORES], d_model)
            found = [score_of(where, NEURON_SCORES, v) for v in values]
            neuron_scores[places[name]] = torch.tensor(found, dtype=torch.float64)
        if NEURONS in own or is_in:
            (telling if NEURONS in own else silent).append(name)
    if telling and silent:
        raise InputError(
            f"expected {NEURONS!r} of every node that is in, as {telling[0]} has them, found none "
            f"of {first_few(silent)}"
        )
    return _Nodes(flags, scores, neurons if telling else None, neuron_scores)


def _read_edges(
    given: Mapping[str, Any], table: EdgeTable, names: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Whether edges are in, and their scores: [reader, writer, column]."""
    places = placed("edges", list(given), list(map(str, table.edges)))
    edges = {name: object_of(f"edge {name}", value) for name, value in given.items()}
    parts = {
        name: _positions(f"edge {name}", edge[POSITIONS], names)
        for name, edge in edges.items()
        if POSITIONS in edge
    }
    silent = [name for name in edges if name not in parts]
    if parts and silent:
        raise InputError(
            f"expected {POSITIONS!r} of every edge, as {next(iter(parts))} has them, found none "
            f"of {first_few(silent)}"
        )
    flags = _by_column(edges, parts, IN_GRAPH, flag_of, names)
    for name, values in flags.items():
        if any(values) != bool(edges[name][IN_GRAPH]):
            raise InputError(
                f"edge {name}: expected {IN_GRAPH!r} to say whether the edge is in at any position "
                f"of {POSITIONS!r}, found {named(edges[name][IN_GRAPH])}"
            )
    scores = _by_column(edges, parts, SCORE, score_of, names)
    return _table(flags, places, table, torch.bool), _table(scores, places, table, torch.float64)


def _positions(where: str, value: Any, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What an edge has at each position that it names."""
    given = object_of(f"{where}, {POSITIONS!r}", value)
    unknown = [named(name) for name in given if name not in names]
    if unknown:
        expected = f"the positions {first_few(names)}" if names else "edges alike at all positions"
        raise InputError(
            f"{where}: expected {expected}, found {first_few(unknown)}; take pairs of the form "
            "that the circuit was found on, and tell positions apart as there"
        )
    return {name: object_of(f"{where} at {name}", part) for name, part in given.items()}


def _by_column(
    edges: Mapping[str, dict[str, Any]],
    parts: Mapping[str, dict[str, dict[str, Any]]],
    key: str,
    value_of: Callable[[str, str, Any], T],
    names: Sequence[str],
) -> dict[str, list[T]]:
    """Of each edge one value, or where the document tells positions apart one of each."""
    whole = {name: value_of(f"edge {name}", key, edge.get(key)) for name, edge in edges.items()}
    if not any(key in part for own in parts.values() for part in own.values()):
        return {name: [value] for name, value in whole.items()}
    return {
        edge: [value_of(f"edge {edge} at {n}", key, own.get(n, {}).get(key, 0)) for n in names]
        for edge, own in parts.items()
    }


def _table(
    values: Mapping[str, list[Any]],
    places: Mapping[str, int],
    table: EdgeTable,
    dtype: torch.dtype,
) -> Tensor:
    """Values of edges, each with its columns, at their places; 0 for those that are left out."""
    n_columns = len(next(iter(values.values()), [0]))
    listed = [[0] * n_columns] * len(table.edges)
    for name, own in values.items():
        listed[places[name]] = own
    found = torch.zeros(*table.exists.shape, n_columns, dtype=dtype)
    found[table.exists] = torch.tensor(listed, dtype=dtype)
    return found
