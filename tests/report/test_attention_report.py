"""The figures and the page of an analysis of attention, of small models with random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.analysis.attention import AttentionResult, AttentionStudy, analyze_attention
from mitool.analysis.attention.circuits import ov_circuit, positional_circuit, qk_circuit
from mitool.analysis.attention.result import attention_result
from mitool.analysis.attention.shown import ShownPattern
from mitool.checkpoint import Metadata, TaskRecord
from mitool.config import as_dict
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.report import Figure, attention_figures, attention_report, render_page
from mitool.report.attention.patterns import BESIDE_CIRCUITS
from mitool.report.figures import label
from mitool.report.images import _titled
from mitool.settings import AttentionSettings, ModelSettings
from mitool.subject import Subject
from mitool.tasks import Task
from mitool.tasks.min import Min
from mitool.tasks.permute import Permute

from .conftest import HOSTILE, Tags
from .test_page import own

SMALL = {"d_model": 8, "d_head": 4, "attn_only": True}


def analysed(
    task: Task, settings: AttentionSettings | None = None, **model: Any
) -> AttentionResult:
    config = TransformerConfig.for_task(ModelSettings(**{**SMALL, **model}), task)
    network = ToyTransformer(config).initialise(torch.Generator().manual_seed(0))
    record = TaskRecord(task.name, as_dict(task))
    metadata = Metadata(
        kind="transformer",
        model=as_dict(config),
        task=record,
        training={},
        split=None,
        seed=0,
        step=0,
        epoch=0,
        version="0",
    )
    return analyze_attention(Subject(Path("x"), network, task, metadata), settings)


@pytest.fixture(scope="module")
def pairs() -> AttentionResult:
    """One layer of two heads, on all pairs of 5 numbers."""
    return analysed(Min(max_value=4), n_layers=1, n_heads=2, positional="zero")


@pytest.fixture(scope="module")
def lists() -> AttentionResult:
    """Two layers of three heads with two answers, on lists of numbers."""
    settings = AttentionSettings(examples=32, shown=4)
    return analysed(Permute(length=2, max_value=3), settings, n_layers=2, n_heads=3)


def by_name(result: AttentionResult) -> dict[str, Figure]:
    return {figure.name: figure for figure in attention_figures(result)}


def changed(result: AttentionResult, **changes: Any) -> AttentionResult:
    study: AttentionStudy = replace(result.study, **changes)
    return attention_result(study, result.subject, result.config)


def cells(trace: Any) -> torch.Tensor:
    known = [[torch.nan if value is None else value for value in row] for row in trace.z]
    return torch.tensor(known, dtype=torch.float64)


def assert_shows(trace: Any, values: torch.Tensor) -> None:
    torch.testing.assert_close(cells(trace), values.double(), rtol=1e-3, atol=1e-12, equal_nan=True)


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


def test_the_menu_holds_every_example(lists: AttentionResult) -> None:
    shown = lists.study.shown
    plot = by_name(lists)["patterns_layer1"].plot
    (menu,) = plot.layout.updatemenus
    assert [button.method for button in menu.buttons] == ["restyle"] * 4
    for button, example in zip(menu.buttons, shown, strict=True):
        assert button.label.startswith(f"{example.title}: BOS ")
        (restyled,) = button.args
        for head in range(3):
            panel = torch.tensor(restyled["z"][head]).double()
            expected = example.pattern[1, head].double()
            torch.testing.assert_close(panel, expected, rtol=1e-3, atol=1e-12)
            names = [f"{i}: {token}" for i, token in enumerate(example.labels)]
            assert restyled["x"][head] == restyled["y"][head] == names
    for head, trace in enumerate(plot.data):
        assert_shows(trace, shown[0].pattern[1, head])
    assert plot.layout.coloraxis.cmin == 0
    assert plot.layout.coloraxis.cmax == 1


def test_an_image_names_the_example_in_place_of_the_menu(lists: AttentionResult) -> None:
    figure = by_name(lists)["patterns_layer0"]
    drawn = _titled(figure)
    assert not drawn.layout.updatemenus
    example = figure.plot.layout.updatemenus[0].buttons[0].label
    assert drawn.layout.title.text == f"Attention patterns, layer 0<br><sup>{example}</sup>"


def pattern_of(labels: tuple[str, ...], n_layers: int = 1, n_heads: int = 2) -> ShownPattern:
    size = (n_layers, n_heads, len(labels), len(labels))
    scores = torch.randn(size, generator=torch.Generator().manual_seed(1))
    ahead = torch.ones(len(labels), len(labels), dtype=torch.bool).triu(diagonal=1)
    return ShownPattern("prompt 1", labels, scores.masked_fill(ahead, -torch.inf).softmax(-1))


def test_tokens_of_one_name_keep_their_cells(pairs: AttentionResult) -> None:
    shown = pattern_of(("the", "cat", "the", "the"))
    plot = by_name(changed(pairs, shown=(shown,)))["patterns_layer0"].plot
    assert plot.data[0].x == ("0: the", "1: cat", "2: the", "3: the")
    assert plot.layout.xaxis.type == plot.layout.yaxis.type == "category"
    assert_shows(plot.data[1], shown.pattern[0, 1])
    assert not plot.layout.updatemenus


def test_outputs_of_one_name_keep_their_cells(pairs: AttentionResult) -> None:
    labels = ("x", "x", "<s>", "3", "4", "=")
    drawn = dict(enumerate(labels))
    (trace, _) = by_name(changed(pairs, drawn=drawn))["ov_circuits"].plot.data
    assert trace.y == ("x (0)", "x (1)", "&lt;s&gt;", "3", "4", "=")
    assert trace.x == trace.y[:5]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_tokens_are_harmless(pairs: AttentionResult, text: str) -> None:
    shown = ShownPattern(text, (text, text, "="), pattern_of(("", "", "")).pattern)
    hostile = changed(
        pairs,
        labels=(text,) * 6,
        drawn=dict.fromkeys(range(6), text),
        key_labels=(text, "1", "2: ="),
        answer_labels=(text,),
        shown=(shown, shown),
    )
    figures = by_name(hostile)
    (menu,) = figures["patterns_layer0"].plot.layout.updatemenus
    assert menu.buttons[0].label == label(f"{text}: {text} {text} =", 48)
    for figure in figures.values():
        assert "<" not in figure.plot.to_json().replace("<br>", "").replace("<extra></extra>", "")
    read = Tags(own(render_page(attention_report(hostile))))
    assert not read.all("img")
    assert not [a for _, attributes in read.tags for a in attributes if a.startswith("on")]
    assert f"What the token {text} at the answer position looks for" in read.texts["h3"]


def test_a_page_keeps_as_many_examples_as_fit(pairs: AttentionResult) -> None:
    tokens = 256
    shown = (pattern_of(("a",) * tokens),) * 6
    figure = by_name(changed(pairs, shown=shown))["patterns_layer0"]
    assert 2 * 3 * tokens**2 <= BESIDE_CIRCUITS < 2 * 4 * tokens**2
    assert len(figure.plot.layout.updatemenus[0].buttons) == 3
    assert "3 of 6 examples are kept" in figure.caption


def test_of_many_heads_those_that_add_most_are_drawn(pairs: AttentionResult) -> None:
    study = pairs.study
    attribution = torch.linspace(-9, 1, 20)[None]
    wide = changed(
        pairs,
        weights=replace(
            study.weights,
            **{
                name: getattr(study.weights, name).repeat(1, 10, 1, 1)
                for name in ("W_Q", "W_K", "W_V", "W_O")
            },
        ),
        observation=replace(
            study.observation,
            **{
                name: getattr(study.observation, name).repeat_interleave(10, dim=1)
                for name in ("mean_attention", "entropy", "first_token", "operands")
            },
            attribution=attribution,
        ),
        kinds={
            kind: replace(
                kept, scores=kept.scores.repeat(1, 10), by_position=kept.by_position.repeat(1, 10)
            )
            for kind, kept in study.kinds.items()
        },
        ov_top1=study.ov_top1.repeat(1, 10),
        copying_score=study.copying_score.repeat(1, 10),
        top_places=study.top_places * 10,
        ov_eigenvalues=study.ov_eigenvalues.repeat(1, 10, 1),
        to_answer_operand=None,
        answer_row=None,
        shown=(pattern_of(("a",) * 256, n_heads=20),),
    )
    figures = by_name(wide)
    assert [a.text for a in figures["ov_circuits"].plot.layout.annotations] == [
        f"L0H{head}" for head in range(4)
    ]
    note = "heads are drawn, those whose direct logit attribution is largest, of either sign."
    assert f"8 of 20 {note}" in figures["qk_circuits_2"].caption
    assert f"6 of 20 {note}" in figures["attention_grid"].caption
    assert f"12 of 20 {note}" in figures["ov_eigenvalues"].caption
    assert f"8 of 20 {note}" in figures["patterns_layer0"].caption
    assert len(figures["patterns_layer0"].plot.data) == 8


def test_circuits_are_those_of_the_weights(lists: AttentionResult) -> None:
    figures, weights = by_name(lists), lists.study.weights
    for kind, circuit in (("ov", ov_circuit), ("qk", qk_circuit)):
        plot = figures[f"{kind}_circuits"].plot
        name = plot.layout.annotations[0].text
        layer, head = int(name[1]), int(name[3])
        assert_shows(plot.data[0], circuit(weights, layer, head).dense())
        assert plot.layout.coloraxis.cmid == 0


def test_positions_that_a_query_cannot_see_are_blank(lists: AttentionResult) -> None:
    plot = by_name(lists)["positional_circuits"].plot
    factors = positional_circuit(lists.study.weights, 0, 0)
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
    values = dict(zip(bars.y, bars.x, strict=True))
    assert values["OV top-1 (chance 0.2)"] == pytest.approx(result.study.ov_top1.item(), abs=1e-4)
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
