"""The figures and the page of a search for a circuit, in small models with random weights."""

from dataclasses import replace

import pytest
import torch

from mitool.analysis.circuits import CircuitResult
from mitool.analysis.circuits.result import IDLE
from mitool.report import Figure, circuit_report, render_page
from mitool.report.circuits.scores import COLORS
from mitool.report.circuits.summary import CARRIES
from tests.report.circuits import by_name, given, named, searched, undefined_under

from .conftest import HOSTILE, Tags

ALL = [
    "circuit",
    "faithfulness",
    "scores",
    "score_map",
    "ablations",
    "minimality",
    "audit",
    "pairs",
]


@pytest.fixture(scope="module")
def found() -> CircuitResult:
    return searched(audit=30, random_circuits=4)


@pytest.fixture(scope="module")
def held_out() -> CircuitResult:
    return searched(holdout=0.25, random_circuits=1, ablation="zero", method="eap", edges=10)


def bars(figure: Figure) -> dict[str, float]:
    return {
        name: value
        for trace in figure.plot.data
        if trace.type == "bar"
        for name, value in zip(trace.y, trace.x, strict=True)
    }


def test_all_figures_are_there_and_captions_are_sentences(found: CircuitResult) -> None:
    assert list(by_name(found)) == ALL
    for figure in by_name(found).values():
        assert figure.caption.endswith(".")
        assert "None" not in figure.caption
        assert "nan" not in figure.caption
    assert [name for name, figure in by_name(found).items() if figure.scalable] == ["circuit"]


def test_a_given_circuit_has_no_figures_of_scores(found: CircuitResult) -> None:
    assert list(by_name(given(found))) == ["circuit", "ablations", "minimality", "pairs"]


@pytest.mark.parametrize("level", ["node", "neuron"])
def test_nodes_and_neurons_have_no_table_of_edges(level: str) -> None:
    result = searched(level=level, edges=4 if level == "node" else 20)
    assert list(by_name(result)) == [name for name in ALL if name not in ("score_map", "audit")]
    assert by_name(result)["minimality"].title == f"What the circuit loses without each {level}"
    assert f" {level}s keep" in circuit_report(result).summary


def test_a_model_without_mlps_has_all_figures() -> None:
    result = searched(attn_only=True, edges=12)
    assert list(by_name(result)) == [name for name in ALL if name != "audit"]
    assert not [text for text in named(by_name(result)["circuit"], "nodes").text if text[0] == "m"]


def test_title_and_summary_say_what_was_looked_for_and_what_was_found(
    found: CircuitResult, held_out: CircuitResult
) -> None:
    report = circuit_report(found, "mitool analyze circuit x")
    assert report.title.startswith("Circuit by EAP-IG (inputs) in min (k = 2, max_value = 4, ")
    assert report.command == "mitool analyze circuit x"
    claims, random = found.claims, found.evaluation.random
    keep = found.evaluation.ends.faithfulness(random).tolist()
    assert report.summary == (
        f"{found.conclusion}, on the 8 pairs that the circuit was found on. 4 random circuits of "
        f"40 edges keep {claims['random_faithfulness']:.1%} of the gap on average "
        f"({min(keep):.1%} to {max(keep):.1%})."
    )
    summary = circuit_report(held_out).summary
    assert " on pairs that were held out (2 of 8 groups). A random circuit of " in summary
    assert summary.endswith("are one group, and held out together: 8 pairs.")
    assert "found on" not in summary


def test_what_is_kept_is_a_share_of_the_gap(found: CircuitResult) -> None:
    """Of a logit difference of 5 and -5 half way is none of it, and 50 % of the gap."""
    claims = {**found.claims, "faithfulness": 0.5, "faithfulness_ci": None}
    gap = "of the gap in logit difference between the clean and the corrupted run"
    assert replace(found, claims=claims).conclusion == f"40 of 75 edges keep 50.0% {gap}"
    claims["faithfulness"] = -0.25
    beyond = f"40 of 75 edges keep -25.0% {gap}, which is further off than nothing of the model"
    assert replace(found, claims=claims).conclusion == beyond
    assert replace(found, claims={**claims, "faithfulness": None}).conclusion is None
    zeros = searched(ablation="zero", method="exact")
    expected = "of the gap in logit difference between the whole model and nothing of it"
    assert expected in str(zeros.conclusion)
    for figure in (by_name(found)["ablations"], by_name(found)["faithfulness"]):
        assert f"Faithfulness is the share {gap} that a circuit alone keeps" in figure.caption


def test_random_scores_are_said_to_say_nothing() -> None:
    caption = by_name(searched(method="random"))["scores"].caption
    assert "A score is drawn at random, and says nothing of the edge." in caption


def test_a_given_circuit_is_not_said_to_be_found(found: CircuitResult) -> None:
    report = circuit_report(given(found))
    assert report.title.startswith("A given circuit in min")
    assert ", on 8 pairs. 4 random" in report.summary
    assert not any("found on" in figure.caption for figure in report.figures)
    scored = replace(found, origin=replace(found.origin, method=None))
    assert circuit_report(scored).title.startswith("Circuit by given scores in min")
    assert "by scores of a file" in by_name(scored)["scores"].caption


def test_an_undefined_faithfulness_is_said_to_be(found: CircuitResult) -> None:
    claims = {**found.claims, "faithfulness": None, "faithfulness_ci": None}
    ends = replace(found.evaluation.ends, empty=found.evaluation.ends.full)
    result = replace(found, claims=claims, evaluation=replace(found.evaluation, ends=ends))
    report = circuit_report(result)
    assert report.summary == (
        "The circuit has 40 of 75 edges; how much of the gap in logit difference between the clean "
        "and the corrupted run they keep is undefined, on the 8 pairs that the circuit was found "
        "on."
    )
    assert not {"faithfulness", "minimality"} & set(by_name(result))


def test_the_curve_has_both_rankings_the_circuit_and_random_ones(found: CircuitResult) -> None:
    figure, curve = by_name(found)["faithfulness"], found.evaluation.curve
    assert curve is not None
    for name, values in (
        ("largest scores first", curve.signed),
        ("largest of either sign first", curve.absolute),
    ):
        trace = named(figure, name)
        assert trace.x == curve.fractions
        assert list(trace.y) == pytest.approx(values.tolist(), rel=1e-4, abs=1e-9)
        assert tuple(trace.customdata) == curve.sizes
    circuit, random = named(figure, "the circuit"), named(figure, "random circuits")
    assert (circuit.x[0], circuit.y[0]) == (40 / 75, found.claims["faithfulness"])
    ends = [
        circuit.y[0] - circuit.error_y.arrayminus[0],
        circuit.y[0] + circuit.error_y.array[0],
    ]
    assert ends == pytest.approx(found.claims["faithfulness_ci"])
    assert len(random.y) == 4
    assert sum(random.y) / 4 == pytest.approx(found.claims["random_faithfulness"], rel=1e-4)
    assert [shape.y0 for shape in figure.plot.layout.shapes] == [0, 1]
    assert figure.plot.layout.xaxis.type == "log"
    assert f"(CPR) is {curve.cpr:.4g};" in figure.caption
    assert f"(CMD) is {curve.cmd:.4g}," in figure.caption
    assert "Circles: 4 random circuits" in figure.caption


def test_captions_say_on_which_pairs_and_under_which_ablation(
    found: CircuitResult, held_out: CircuitResult
) -> None:
    for name in ("faithfulness", "minimality", "pairs"):
        assert "on the 8 pairs that the circuit was found on" in by_name(found)[name].caption
        assert CARRIES["patch"] in by_name(found)[name].caption
        assert "on 2 pairs that were held out (2 of 8 groups)" in by_name(held_out)[name].caption
        assert "carries zeros" in by_name(held_out)[name].caption
    scored = by_name(held_out)["scores"].caption
    assert scored.endswith("Scored on 6 pairs, those that are not held out.")


def test_scores_in_the_circuit_are_told_from_the_others(found: CircuitResult) -> None:
    figure, own = by_name(found)["scores"], found.found
    assert own.scores is not None
    largest = own.scores.abs().argsort(descending=True, stable=True)[:30].tolist()
    names = [own.units.names[unit].replace("<", "&lt;").replace(">", "&gt;") for unit in largest]
    assert figure.plot.layout.yaxis.categoryarray == tuple(names)
    assert bars(figure) == pytest.approx(
        dict(zip(names, own.scores[largest].tolist(), strict=True)), rel=1e-3
    )
    for trace in figure.plot.data:
        sign, is_in = trace.name.startswith("above"), trace.name.endswith(", in the circuit")
        assert trace.marker.color == COLORS[sign, is_in]
        assert all((value > 0) == sign for value in trace.x)
        units = [largest[names.index(name)] for name in trace.y]
        assert all(bool(own.chosen[unit]) == is_in for unit in units)
    assert "The 30 largest of 75" in figure.caption


def test_the_table_has_a_cell_for_each_edge(found: CircuitResult) -> None:
    (trace,), own = by_name(found)["score_map"].plot.data, found.found
    assert own.scores is not None
    table = own.units.table
    cells = {
        f"{writer}->{reader}": value
        for writer, row in zip(trace.y, trace.z, strict=True)
        for reader, value in zip(trace.x, row, strict=True)
        if value is not None
    }
    expected = {
        name.replace("<", "&lt;").replace(">", "&gt;").replace("-&gt;", "->", 1): score
        for name, score in zip(own.units.names, own.scores.tolist(), strict=True)
    }
    assert cells == pytest.approx(expected, rel=1e-3)
    assert len(trace.x) == len(table.readers)
    row, column = trace.y.index("MLP1"), trace.x.index("logits")
    assert trace.hovertext[row][column].startswith("MLP1-&gt;logits<br>score ")
    assert trace.hovertext[row][0] == "no such edge"


def test_the_circuit_stands_under_each_ablation_beside_its_complement(
    found: CircuitResult,
) -> None:
    figure = by_name(found)["ablations"]
    claims = {name: float(str(v)) for name, v in found.claims.items() if isinstance(v, float | int)}
    expected = {
        "the circuit, patch": claims["faithfulness"],
        "the circuit, zero": claims["faithfulness_zero"],
        "the circuit, mean": claims["faithfulness_mean"],
        "the circuit, mean-positional": claims["faithfulness_mean_positional"],
        "all but the circuit, patch": 1 - claims["completeness"],
        "random circuits, patch": claims["random_faithfulness"],
    }
    assert list(bars(figure)) == list(expected)
    assert bars(figure) == pytest.approx(expected, rel=1e-3, abs=1e-7)
    assert "Undefined" not in figure.caption


def test_an_undefined_ablation_is_left_out_and_named(found: CircuitResult) -> None:
    figure = by_name(undefined_under(found, "zero"))["ablations"]
    assert "the circuit, zero" not in bars(figure)
    assert "the circuit, mean" in bars(figure)
    assert "Undefined under zero: there the metric is the same" in figure.caption
    assert "zeros" not in figure.caption


def test_losses_are_sorted_and_idle_units_grey(found: CircuitResult) -> None:
    tests = found.evaluation
    losses = torch.linspace(-1.5, 2.5, len(tests.tested)) * IDLE * 2
    gap = tests.ends.gap.mean()
    without = tests.alone.metric - (losses * gap)[:, None]
    result = replace(found, evaluation=replace(tests, without=without))
    figure = by_name(result)["minimality"]
    values = bars(figure)
    order = [values[name] for name in figure.plot.layout.yaxis.categoryarray]
    assert order == sorted(order, reverse=True)
    assert order[0] == pytest.approx(5 * IDLE, rel=1e-3)
    (idle,) = (trace for trace in figure.plot.data if trace.name == "idle")
    assert {abs(value) < IDLE for value in idle.x} == {True}
    n = int((losses.abs() < IDLE).sum())
    assert len(idle.x) == n
    assert f"({n} of 40)" in figure.caption
    assert "for each of its 40 edges" in figure.caption


def test_the_audit_sets_scores_beside_patches(found: CircuitResult) -> None:
    figure, audited = by_name(found)["audit"], found.audit
    assert audited is not None
    line, points = figure.plot.data
    assert list(line.x) == list(line.y)
    assert list(points.x) == pytest.approx(audited.scores.tolist(), rel=1e-4, abs=1e-9)
    assert list(points.y) == pytest.approx(audited.exact.tolist(), rel=1e-4, abs=1e-9)
    assert "one of 30 of 75 edges, drawn at random" in figure.caption
    assert f"Pearson correlation {audited.pearson:.3g}, " in figure.caption
    assert f"share with the same sign {audited.sign_agreement:.3g}." in figure.caption


def test_each_pair_is_drawn_by_the_whole_model_and_the_circuit(held_out: CircuitResult) -> None:
    figure, tests = by_name(held_out)["pairs"], held_out.evaluation
    circuit, empty = named(figure, "the circuit alone"), named(figure, "nothing of the model")
    assert list(circuit.x) == list(empty.x) == pytest.approx(tests.ends.full.tolist(), rel=1e-4)
    assert list(circuit.y) == pytest.approx(tests.alone.metric[0].tolist(), rel=1e-4, abs=1e-9)
    assert list(empty.y) == pytest.approx(tests.ends.empty.tolist(), rel=1e-4, abs=1e-9)
    assert list(circuit.customdata) == (held_out.origin.tested_on.chosen + 1).tolist()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_shows_hostile_names_as_text(found: CircuitResult, text: str) -> None:
    result = replace(given(found, path=text), subject={"model": text})
    report = circuit_report(result, command=text)
    tags = Tags(render_page(report))
    assert not [tag for tag in tags.all("img") if "onerror" in tag]
    assert len(tags.all("script")) == 2 + len(report.figures)
    assert text in "".join(tags.texts["code"])
