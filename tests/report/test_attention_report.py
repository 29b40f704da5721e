"""The figures and the page of an analysis of attention, of small models with random weights."""

import pytest
import torch

from mitool.analysis.attention import AttentionResult
from mitool.analysis.attention.circuits import ov_circuit, positional_circuit, qk_circuit
from mitool.report import attention_figures, attention_report, render_page
from mitool.tasks.min import Min
from tests.report.attention import analysed, assert_shows, by_name, cells

from .conftest import Tags
from .test_page import own


def test_figures_have_names_and_captions_of_their_own(
    pairs: AttentionResult, lists: AttentionResult
) -> None:
    assert list(by_name(pairs)) == [
        "mean_attention",
        "attention_grid",
        "measures",
        "entropy",
        "attribution",
        "ov_eigenvalues",
        "patterns_layer0",
        "ov_circuits",
        "qk_circuits",
        "qk_answer_row",
    ]
    own_to_layers = {"patterns_layer1", "ov_circuits_2", "qk_circuits_2", "positional_circuits"}
    assert {*own_to_layers, "composition", "virtual_heads"} <= set(by_name(lists))
    for figure in (*attention_figures(pairs), *attention_figures(lists)):
        assert figure.caption.endswith(".")


def test_mean_attention_of_one_answer_is_a_row_for_each_head(pairs: AttentionResult) -> None:
    (trace,) = by_name(pairs)["mean_attention"].plot.data
    assert_shows(trace, pairs.study.observation.mean_attention[0, :, 0])
    assert trace.y == ("L0H0", "L0H1")
    assert trace.x == pairs.study.key_labels
    assert trace.texttemplate == "%{z:.2f}"


def test_mean_attention_of_several_answers_is_a_panel_for_each_head(
    lists: AttentionResult,
) -> None:
    figure = by_name(lists)["mean_attention"]
    assert len(figure.plot.data) == 6
    for trace, (layer, head) in zip(figure.plot.data, lists.study.weights.heads, strict=True):
        assert_shows(trace, lists.study.observation.mean_attention[layer, head])
    assert [a.text for a in figure.plot.layout.annotations][:2] == ["L0H0", "L0H1"]


def test_the_grid_shows_every_pair_of_operands(pairs: AttentionResult) -> None:
    to_a, to_b, *_ = by_name(pairs)["attention_grid"].plot.data
    attention = pairs.study.observation.operands
    assert attention is not None
    for a in range(5):
        for b in range(5):
            from_answer = attention[0, 0, 5 * a + b, 0]
            assert to_a.z[a][b] == pytest.approx(from_answer[0].item(), rel=1e-3)
            assert to_b.z[a][b] == pytest.approx(from_answer[1].item(), rel=1e-3)


def test_circuits_are_those_of_the_weights(lists: AttentionResult) -> None:
    figures, study = by_name(lists), lists.study
    for kind in ("ov", "qk"):
        plot = figures[f"{kind}_circuits"].plot
        name = plot.layout.annotations[0].text
        head = int(name[1]), int(name[3])
        is_ov = kind == "ov"
        circuit = ov_circuit(study.weights, *head) if is_ov else qk_circuit(study.contexts, *head)
        assert_shows(plot.data[0], circuit.dense())
        assert plot.layout.coloraxis.cmid == 0


def test_positions_that_a_query_cannot_see_are_blank(lists: AttentionResult) -> None:
    plot = by_name(lists)["positional_circuits"].plot
    factors = positional_circuit(lists.study.contexts, lists.study.weights, 0, 0)
    assert factors is not None
    n = len(factors.left)
    assert plot.data[0].z[0][1:] == [None] * (n - 1)
    torch.testing.assert_close(
        cells(plot.data[0]).nan_to_num(), factors.dense().tril(), rtol=1e-3, atol=1e-12
    )
    assert len(plot.data) == 3


def test_the_answers_row_is_a_bar_for_each_token(pairs: AttentionResult) -> None:
    figure = by_name(pairs)["qk_answer_row"]
    row = pairs.study.answer_row
    assert row is not None
    assert figure.title == "What the token = at the answer position looks for"
    first = int(figure.plot.layout.annotations[0].text[3])
    assert list(figure.plot.data[0].y) == pytest.approx(row.scores[0, first].tolist(), rel=1e-3)
    assert figure.plot.data[0].x == pairs.study.labels


def test_composition_leaves_pairs_of_one_layer_out(lists: AttentionResult) -> None:
    found = lists.study.composition
    assert found is not None
    q, k, v = by_name(lists)["composition"].plot.data
    for trace, values in ((q, found.q), (k, found.k), (v, found.v)):
        assert_shows(trace, values[:3, 3:])
        assert (trace.y, trace.x) == (("L0H0", "L0H1", "L0H2"), ("L1H0", "L1H1", "L1H2"))
    assert f"about {found.chance:.3f}" in by_name(lists)["composition"].caption


def test_measures_name_chance_and_leave_out_what_is_undefined(pairs: AttentionResult) -> None:
    figure = by_name(pairs)["measures"]
    names = [a.text for a in figure.plot.layout.annotations]
    chance = pairs.study.kinds["previous_token"].chance
    assert names[1] == f"previous-token<br>(chance {chance:.2g})"
    assert "Undefined here: induction." in figure.caption
    assert not any("induction" in name for name in names)
    assert "OV top-1<br>(chance 0.2)" in names
    assert_shows(figure.plot.data[1], pairs.study.kinds["previous_token"].scores)


def test_one_head_has_bars_for_heatmaps() -> None:
    result = analysed(Min(max_value=4), n_layers=1, n_heads=1, positional="zero")
    figures = by_name(result)
    (bars,) = figures["measures"].plot.data
    values, own = dict(zip(bars.y, bars.x, strict=True)), result.study.on_itself
    assert own is not None
    assert values["OV top-1 (chance 0.2)"] == pytest.approx(own.top1.item(), abs=1e-4)
    (mean,) = figures["mean_attention"].plot.data
    expected = result.study.observation.mean_attention.flatten().tolist()
    assert list(mean.y) == pytest.approx(expected, abs=1e-4)
    assert "entropy" not in figures
    assert "attribution" not in figures


def test_the_page_has_every_verdict_in_full(lists: AttentionResult) -> None:
    report = attention_report(lists, "mitool analyze attn x")
    read = Tags(own(render_page(report)))
    assert read.texts["h1"] == ["Attention in permute (length = 2, max_value = 3)"]
    assert report.summary == lists.conclusion
    assert len(lists.verdicts) == 6
    assert set(lists.verdicts) <= set(read.texts["td"])
    places = {div.get("id") for div in read.all("div")}
    assert {f"figure-{figure.name}" for figure in report.figures} <= places
