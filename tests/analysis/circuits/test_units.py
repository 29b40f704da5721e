"""Units, what is chosen of them, and what is alive in it: against plain Python and networkx."""

from typing import Any

import networkx
import pytest
import torch
from torch import Tensor

from mitool.analysis.circuits.circuit import circuit_of
from mitool.analysis.circuits.select import FRACTIONS, first, ladder, ranked, sizes_of
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.graph import Graph
from mitool.analysis.interventions.table import EdgeTable
from mitool.core.errors import UsageError
from mitool.settings import Level
from tests.analysis.circuits.benches import LEVELS

D_MODEL = 5
COLUMNS = tuple(Column(f"p{i}", "", ((i, i + 1),)) for i in range(3))

GRAPHS = {
    "toy": Graph(n_layers=2, n_heads=2, has_mlp=True, is_parallel=False),
    "parallel": Graph(n_layers=2, n_heads=2, has_mlp=True, is_parallel=True),
    "attention-only": Graph(n_layers=3, n_heads=2, has_mlp=False, is_parallel=False),
}


def units_of(level: Level, graph: str = "toy", columns: tuple[Column, ...] = ()) -> Units:
    return Units(EdgeTable(GRAPHS[graph]), level, D_MODEL, columns)


def scores_of(units: Units) -> Tensor:
    """Random scores, some of them equal."""
    generator = torch.Generator().manual_seed(5)
    return torch.randint(-20, 21, (len(units),), generator=generator).double() / 4


def random_choices(units: Units, n: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(6)
    return torch.rand(n, len(units), generator=generator) < torch.linspace(0.02, 0.9, n)[:, None]


def test_edges_of_a_small_graph_by_hand() -> None:
    """One layer of one head and an MLP: three into the head, two into the MLP, three out."""
    table = EdgeTable(Graph(n_layers=1, n_heads=1, has_mlp=True, is_parallel=False))
    units = Units(table, "edge", D_MODEL)
    heads = ["input->L0H0<q>", "input->L0H0<k>", "input->L0H0<v>"]
    others = ["input->MLP0", "L0H0->MLP0", "input->logits", "L0H0->logits", "MLP0->logits"]
    assert units.names == heads + others
    assert Units(table, "node", D_MODEL).names == ["input", "L0H0", "MLP0"]
    by_position = Units(table, "edge", D_MODEL, COLUMNS[:2])
    assert by_position.names[:3] == [
        "input->L0H0<q>@p0",
        "input->L0H0<q>@p1",
        "input->L0H0<k>@p0",
    ]
    assert Units(table, "neuron", D_MODEL).names[4:6] == ["input[4]", "L0H0[0]"]
    parallel = EdgeTable(Graph(n_layers=1, n_heads=1, has_mlp=True, is_parallel=True))
    assert len(Units(parallel, "edge", D_MODEL)) == 7


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("level", LEVELS)
def test_values_of_units_go_to_their_places_and_back(level: str, graph: str) -> None:
    columns = COLUMNS if level == "position" else ()
    of = LEVELS[level]
    units = units_of(of, graph, columns)
    assert len(set(units.names)) == len(units.names) == len(units)
    values = torch.arange(1, len(units) + 1).double()
    assert torch.equal(units.listed(units.placed(values)), values)
    assert units.placed(values).count_nonzero() == len(units)
    if of == "edge":
        placed = units.placed(values)
        for name, value in zip(units.names, values, strict=True):
            edge, _, column = name.partition("@")
            (found,) = units.table.graph.matching([edge], "edge")
            place = placed[
                units.table.row(found.target, found.letter), units.table.writers.index(found.source)
            ]
            assert place[int(column[1:] or 0) if column else 0] == value


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("level", ["node", "neuron"])
def test_of_nodes_all_edges_between_them_are_kept(level: Level, graph: str) -> None:
    units = units_of(level, graph)
    chosen = random_choices(units)
    kept = units.kept(chosen)
    for row, edges in zip(chosen, kept.edges, strict=True):
        names = [name for name, is_in in zip(units.names, row.tolist(), strict=True) if is_in]
        nodes = {name.partition("[")[0] for name in names} | {"logits"}
        expected = {
            str(edge)
            for edge in units.table.graph.edges()
            if {str(edge.source), str(edge.target)} <= nodes
        }
        table = units.table
        found = {
            (str(source), str(target), letter)
            for (target, letter), reads in zip(table.readers, edges[..., 0].tolist(), strict=True)
            for source, is_in in zip(table.writers, reads, strict=True)
            if is_in
        }
        assert {f"{s}->{t}" + (f"<{ltr}>" if ltr else "") for s, t, ltr in found} == expected
    if level == "neuron":
        assert kept.neurons is not None
        assert torch.equal(kept.neurons.flatten(1), chosen)


def reachable(table: EdgeTable, edges: Tensor) -> set[str]:
    """The edges on a way from the input to the logits, by networkx: each a node of its own."""
    ways: Any = networkx.DiGraph()
    ways.add_nodes_from(["input", "logits"])
    chosen = [edge for edge, is_in in zip(table.edges, table.listed(edges), strict=True) if is_in]
    for edge in chosen:
        ways.add_edge(str(edge.source), f"{edge}")
        ways.add_edge(f"{edge}", str(edge.target))
    alive = networkx.descendants(ways, "input") & networkx.ancestors(ways, "logits")
    return {str(edge) for edge in chosen if str(edge) in alive}


@pytest.mark.parametrize("graph", GRAPHS)
def test_what_is_dead_is_pruned(graph: str) -> None:
    units, n_dead = units_of("edge", graph, COLUMNS), 0
    table = units.table
    for row in random_choices(units):
        edges = units.kept(row[None]).edges[0]
        whole, circuit = circuit_of(table, edges), units.circuit(row)
        expected = reachable(table, edges.any(dim=-1))
        assert {str(edge) for edge in circuit.listed} == expected
        assert circuit.n_edges == len(expected)
        nodes = {name.partition("->")[0] for name in expected}
        found = zip(table.writers, circuit.nodes.tolist(), strict=True)
        assert {str(node) for node, is_in in found if is_in} == nodes
        assert circuit.n_nodes == len(nodes) + 1
        left = edges & table.mask(circuit.listed)[..., None]
        assert torch.equal(circuit.edges, left)  # each at the positions that it had
        assert torch.equal(units.units_of(circuit), units.listed(left))
        n_dead += whole.n_edges - circuit.n_edges
    assert n_dead > 50


@pytest.mark.parametrize("level", ["node", "neuron"])
def test_nodes_that_nothing_reaches_are_pruned_with_their_neurons(level: Level) -> None:
    units = units_of(level)
    for row in random_choices(units):
        circuit = units.circuit(row)
        alive = reachable(units.table, units.kept(row[None]).edges[0, ..., 0])
        nodes = {name.partition("->")[0] for name in alive}
        chosen = [name for name, is_in in zip(units.names, row, strict=True) if is_in]
        left = [name for name in chosen if name.partition("[")[0] in nodes]
        found = units.units_of(circuit).tolist()
        assert [name for name, is_in in zip(units.names, found, strict=True) if is_in] == left


def naive_greedy(units: Units, strength: list[float], threshold: float) -> list[int]:
    """Each time all edges are looked at."""
    names, reached, taken = units.names, {"logits"}, list[int]()
    while True:
        at_hand = [
            number
            for number, name in enumerate(names)
            if number not in taken
            and strength[number] >= threshold
            and name.partition("->")[2].partition("@")[0].partition("<")[0] in reached
        ]
        if not at_hand:
            return taken
        best = max(at_hand, key=lambda number: (strength[number], -number))
        taken.append(best)
        reached.add(names[best].partition("->")[0])


@pytest.mark.parametrize("columns", [(), COLUMNS])
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("threshold", [None, 3.5])
def test_greedy_takes_the_strongest_edge_into_what_is_reached(
    graph: str, columns: tuple[Column, ...], threshold: float | None
) -> None:
    units = units_of("edge", graph, columns)
    scores = scores_of(units)
    found = ranked(units, scores, "greedy", threshold).tolist()
    assert found == naive_greedy(units, scores.abs().tolist(), threshold or 0.0)
    assert len(found) == len(units) if threshold is None else 3 < len(found) < len(units) // 2


def test_greedy_is_refused_where_there_are_no_edges() -> None:
    for level in ("node", "neuron"):
        units = units_of(level)
        with pytest.raises(UsageError, match="give --level edge"):
            ranked(units, torch.zeros(len(units)), "greedy")


@pytest.mark.parametrize("threshold", [None, 2.25, -1.0])
@pytest.mark.parametrize("level", ["edge", "node", "neuron"])
def test_the_largest_scores_come_first_and_those_below_a_threshold_not(
    level: Level, threshold: float | None
) -> None:
    units = units_of(level)
    scores = scores_of(units)
    for selection, strength in (("signed", scores), ("absolute", scores.abs())):
        found = ranked(units, scores, selection, threshold).tolist()
        values = strength.tolist()
        allowed = [i for i, v in enumerate(values) if threshold is None or v >= threshold]
        assert found == sorted(allowed, key=lambda i: (-values[i], i))


def test_the_first_so_many() -> None:
    units = units_of("node")
    order = torch.tensor([4, 0, 2])
    rows = first(units, order, [0, 1, 2, 9])
    assert [row.nonzero()[:, 0].tolist() for row in rows] == [[], [4], [0, 4], [0, 2, 4]]


def test_sizes() -> None:
    assert ladder(1) == [1]
    assert ladder(20) == [1, 2, 3, 4, 6, 9, 13, 19, 20]
    units = Units(EdgeTable(Graph(12, 12, has_mlp=True, is_parallel=False)), "edge", 768)
    assert len(units) == 32491  # GPT-2's, as MIB counts them
    assert sizes_of(units) == [32, 64, 162, 324, 649, 1624, 3249, 6498, 16245, 32491]
    assert len(FRACTIONS) == 10
