"""The drawing of circuits: where nodes stand, how edges run, and what pointing at them says."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from mitool.analysis.circuits import CircuitResult
from mitool.analysis.circuits.circuit import Circuit, circuit_of
from mitool.analysis.interventions.graph import Graph, Node
from mitool.analysis.interventions.table import EdgeTable
from mitool.models.decoder import Letter
from mitool.report.circuits import drawing
from mitool.report.circuits.drawing import strongest
from mitool.report.circuits.layout import MOST_ABREAST, Layout, layout_of
from mitool.report.circuits.lines import Line, lines_of
from mitool.report.circuits.routes import BOX_HEIGHT, BOX_WIDTH, routes
from mitool.report.circuits.strokes import SHARES, WIDTHS, Stroke, fill_of, stroke_of
from mitool.report.figures import BLUE, GREY, VERMILLION, label
from tests.report.circuits import by_name, given, named, searched, strokes, ways

from .conftest import HOSTILE


@pytest.fixture(scope="module")
def found() -> CircuitResult:
    return searched()


@pytest.fixture(scope="module")
def by_position() -> CircuitResult:
    return searched(by_position=True)


def of_graph(n_heads: int = 3, **kinds: bool) -> Layout:
    """The layout of a whole model of two layers."""
    return layout_of(whole(n_heads, **kinds))


def whole(n_heads: int = 3, *, has_mlp: bool = True, is_parallel: bool = False) -> Circuit:
    table = EdgeTable(Graph(2, n_heads, has_mlp, is_parallel))
    return circuit_of(table, table.exists[..., None])


def rows(layout: Layout) -> list[list[str]]:
    """Names from the lowest row up, each from left to right."""
    found: dict[float, list[tuple[float, str]]] = {}
    for node, (x, y) in layout.places.items():
        found.setdefault(y, []).append((x, str(node)))
    assert sorted(found) == list(range(len(found)))
    return [[name for _, name in sorted(found[y])] for y in sorted(found)]


def test_nodes_go_up_from_the_input_by_layer_heads_below_their_mlp() -> None:
    assert rows(of_graph()) == [
        ["input"],
        ["L0H0", "L0H1", "L0H2"],
        ["MLP0"],
        ["L1H0", "L1H1", "L1H2"],
        ["MLP1"],
        ["logits"],
    ]
    assert of_graph().layers == {"layer 0": (1, 2), "layer 1": (3, 4)}


def test_in_a_parallel_model_the_mlp_stands_beside_the_heads() -> None:
    layout = of_graph(is_parallel=True)
    assert rows(layout)[1:3] == [[f"L{n}H0", f"L{n}H1", f"L{n}H2", f"MLP{n}"] for n in (0, 1)]
    assert layout.n_rows == 4


def test_without_mlps_there_are_rows_of_heads_only() -> None:
    assert [len(row) for row in rows(of_graph(has_mlp=False))] == [1, 3, 3, 1]


def test_rows_are_centred_with_nodes_one_apart_and_long_ones_are_broken() -> None:
    layout = of_graph(n_heads=MOST_ABREAST + 2)
    assert [len(row) for row in rows(layout)] == [1, 6, 6, 1, 6, 6, 1, 1]
    own = [layout.places[Node("a", 0, head)][0] for head in range(6)]
    assert own == [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
    assert layout.layers["layer 1"] == (4, 6)


def test_only_nodes_that_are_in_are_drawn() -> None:
    table = EdgeTable(Graph(2, 3, True, False))
    chosen = [edge for edge in table.edges if str(edge) in ("input->L1H2<v>", "L1H2->logits")]
    layout = layout_of(circuit_of(table, table.mask(chosen)[..., None]))
    assert rows(layout) == [["input"], ["L1H2"], ["logits"]]
    assert layout.layers == {"layer 1": (1, 1)}


@pytest.mark.parametrize("n_heads", [1, 3, 4, MOST_ABREAST + 2])
@pytest.mark.parametrize("is_parallel", [False, True])
def test_edges_go_up_and_run_through_no_node_nor_along_each_other(
    n_heads: int, is_parallel: bool
) -> None:
    circuit = whole(n_heads, is_parallel=is_parallel)
    layout = layout_of(circuit)
    lines = [Line(e.source, e.target, e.letter, None, "") for e in circuit.listed]
    found = routes(layout, lines)
    size = np.array([BOX_WIDTH, BOX_HEIGHT]) / 2
    for line, way in zip(lines, found, strict=True):
        assert (np.diff(way[:, 1]) > 0).all()
        assert way[0] == pytest.approx(np.add(layout.places[line.source], (0, size[1])))
        others = [p for n, p in layout.places.items() if n not in (line.source, line.target)]
        dense = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(way)])
        if others:
            inside = np.abs(dense[:, None] - np.array(others)) < size - 1e-6
            assert not inside.all(axis=-1).any(), line
    assert len({way.tobytes() for way in found}) == len(lines)


def test_queries_keys_and_values_enter_a_head_from_left_to_right() -> None:
    circuit = whole()
    lines = [
        Line(e.source, e.target, e.letter, None, "")
        for e in circuit.listed
        if str(e).startswith("MLP0->L1H1")
    ]
    found = routes(layout_of(circuit), lines)
    ends = {line.letter: way[-1][0] for line, way in zip(lines, found, strict=True)}
    assert list(ends) == ["q", "k", "v"]
    assert ends["q"] < ends["k"] == 0 < ends["v"] < BOX_WIDTH / 2


def test_every_edge_of_the_circuit_is_drawn_once_with_its_stroke(found: CircuitResult) -> None:
    figure = by_name(found)["circuit"]
    traces = strokes(figure)
    assert sum(len(ways(trace)) for trace in traces) == found.claims["n_edges"] == 40
    widths = [trace.line.width for trace in traces]
    assert widths == sorted(widths)
    assert widths[-1] == WIDTHS[0]
    assert len(traces) < 40
    assert {trace.line.color[:4] for trace in traces} == {"rgba"}
    assert figure.scalable


def test_strokes_tell_sign_size_and_letter() -> None:
    def stroke(score: float | None, letter: Letter | None = None) -> Stroke:
        return stroke_of(Line(Node("input"), Node("a"), letter, score, ""), largest=2.0)

    assert (stroke(2.0).color, stroke(-2.0).color) == (VERMILLION, BLUE)
    assert [stroke(2 * share).width for share in SHARES] == list(WIDTHS)
    assert stroke(-0.19).width == stroke(0.1).width < stroke(0.2).width
    assert len({stroke(1.0, letter).dash for letter in ("q", "k", "v")}) == 3
    assert stroke(None).color == GREY
    assert fill_of(None, 1.0) == "white"
    assert fill_of(-1.0, 1.0) != fill_of(-0.1, 1.0) != fill_of(0.1, 1.0)


def test_pointing_at_an_edge_tells_its_name_score_and_rank(found: CircuitResult) -> None:
    trace = named(by_name(found)["circuit"], "edges")
    scores = found.found.scores
    assert scores is not None
    by_size = scores.abs().argsort(descending=True).tolist()
    expected = {
        f"{label(found.found.units.names[unit])}<br>score {scores[unit]:.4g} "
        f"(no. {rank} of 75 by size)"
        for rank, unit in enumerate(by_size, 1)
        if found.found.chosen[unit]
    }
    assert set(trace.hovertext) == expected
    assert len(trace.x) == len(trace.hovertext) == 3 * 40
    assert trace.marker.opacity == 0
    assert "&lt;q&gt;" in "".join(trace.hovertext)


def test_pointing_at_a_node_tells_its_edges_and_their_scores(found: CircuitResult) -> None:
    trace = named(by_name(found)["circuit"], "nodes")
    lines = lines_of(found)
    assert len(trace.text) == found.claims["n_nodes"] == len(set(trace.text))
    own = dict(zip(trace.text, trace.hovertext, strict=True))
    into = [line.score for line in lines if str(line.target) == "MLP1"]
    out = [line.score for line in lines if str(line.source) == "MLP1"]
    assert own["MLP1"].split("<br>") == [
        "MLP1",
        f"{len(into)} edges in, sum of scores {sum(into):.4g}",
        f"{len(out)} edge out, sum of scores {sum(out):.4g}",
    ]
    assert " in," not in own["input"]
    assert " out," not in own["logits"]


def test_a_circuit_without_scores_has_one_colour_and_says_so(found: CircuitResult) -> None:
    figure = by_name(given(found))["circuit"]
    traces = strokes(figure)
    assert sum(len(ways(trace)) for trace in traces) == 40
    assert len({(trace.line.color, trace.line.width) for trace in traces}) == 1
    assert "given without scores" in figure.caption
    assert "score" not in "".join(named(figure, "edges").hovertext)
    assert {trace.name for trace in figure.plot.data if trace.x == (None,)} == {
        "into queries, at the left",
        "into keys, in the middle",
        "into values, at the right",
    }


def test_by_position_an_edge_is_drawn_once_by_the_sum_over_its_positions(
    by_position: CircuitResult,
) -> None:
    figure, own = by_name(by_position)["circuit"], by_position.found
    n = int(own.chosen.sum())
    assert sum(len(ways(trace)) for trace in strokes(figure)) == own.circuit.n_edges < n
    assert own.scores is not None
    sums = (own.units.placed(own.scores) * own.circuit.edges).sum(dim=-1)
    expected = own.units.table.listed(sums)[own.units.table.listed(own.circuit.edges.any(-1))]
    lines = lines_of(by_position)
    assert torch.tensor([line.score for line in lines]).tolist() == pytest.approx(expected.tolist())
    (text,) = (line.hover for line in lines if f"{line.source}{line.target}" == "MLP1logits")
    score = own.scores[own.units.names.index("MLP1->logits@p2")]
    assert text.split("<br>")[:2] == [
        "MLP1-&gt;logits",
        f"score {score:.4g}, the sum over 1 position of 3",
    ]
    assert f"In the circuit are {n} of {len(own.units):,} edges at positions." in figure.caption


@pytest.mark.parametrize("level", ["node", "neuron"])
def test_nodes_are_coloured_by_score_and_joined_by_plain_lines(level: str) -> None:
    result = searched(level=level, edges=5 if level == "node" else 20)
    figure, own = by_name(result)["circuit"], result.found
    (plain,) = strokes(figure)
    joined = {(edge.source, edge.target) for edge in own.circuit.listed}
    assert len(ways(plain)) == len(joined) < own.circuit.n_edges
    assert own.scores is not None
    table = own.units.placed(own.scores * own.chosen).reshape(len(own.circuit.nodes), -1)
    trace = named(figure, "nodes")
    hover = dict(zip(trace.text, trace.hovertext, strict=True))
    members = zip(own.units.table.writers, table.sum(1), own.circuit.nodes, strict=True)
    for node, score, is_in in members:
        if is_in:
            assert f"score {score:.4g}" in hover[str(node)]
    fills = {t.fillcolor for t in figure.plot.data if t.fill == "toself"}
    assert len(fills) > 2
    assert "white" in fills  # the logits, which have no score
    n = int(own.chosen.sum())
    assert figure.title.startswith(f"The circuit: {n} of {len(own.units)} {level}s, with ")
    if level == "neuron":
        row = own.units.table.writers.index(Node("input"))
        n_in = int(own.chosen.reshape(len(own.circuit.nodes), -1)[row].sum())
        assert f"{n_in} of 8 neurons" in hover["input"]


def test_of_too_many_edges_the_strongest_are_drawn_and_the_reader_is_told(
    found: CircuitResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "MOST_LINES", 10)
    figure = by_name(found)["circuit"]
    assert sum(len(ways(trace)) for trace in strokes(figure)) == 10
    assert figure.title == "The circuit: 40 of 75 edges, of which 10 are drawn"
    assert "The strongest 10 of 40 lines are drawn." in figure.caption
    sizes = [abs(line.score or 0) for line in strongest(lines_of(found))]
    assert sizes == sorted(sizes)
    assert sizes == sorted(abs(line.score or 0) for line in lines_of(found))[-10:]


def test_a_caption_counts_the_pairs_that_scores_are_of(found: CircuitResult) -> None:
    assert "; n = 8 pairs. " in by_name(found)["circuit"].caption
    one = replace(found.origin.found_on, chosen=found.origin.found_on.chosen[:1])
    alone = by_name(replace(found, origin=replace(found.origin, found_on=one)))
    assert "; n = 1 pair. " in alone["circuit"].caption
    assert alone["scores"].caption.endswith("Scored on 1 pair.")


def test_an_empty_circuit_has_no_drawing(found: CircuitResult) -> None:
    circuit = circuit_of(found.found.units.table, torch.zeros_like(found.found.circuit.edges))
    empty = replace(found.found, circuit=circuit, chosen=torch.zeros_like(found.found.chosen))
    figures = by_name(replace(found, found=empty))
    assert "circuit" not in figures
    assert "pairs" in figures


def test_the_figure_grows_with_its_rows(found: CircuitResult) -> None:
    layout = layout_of(found.found.circuit)
    assert by_name(found)["circuit"].height == 52 + 88 * layout.n_rows + 56


@pytest.mark.parametrize("text", HOSTILE)
def test_tokens_at_positions_are_text(by_position: CircuitResult, text: str) -> None:
    own = by_position.found
    columns = tuple(replace(column, tokens=text) for column in own.units.columns)
    units = replace(own.units, columns=columns)
    figures = by_name(replace(by_position, found=replace(own, units=units)))
    texts = "".join(named(figures["circuit"], "edges").hovertext)
    assert label(f"{columns[2].name} {text}") in texts
    assert text not in texts or text == label(text)
