"""Patterns by example, labels of tokens, and what a page leaves out of many heads."""

from dataclasses import replace

import pytest
import torch

from mitool.analysis.attention import AttentionResult
from mitool.analysis.attention.attribution import DirectAttribution
from mitool.analysis.attention.shown import ShownPattern
from mitool.report import attention_report, render_page
from mitool.report.attention.patterns import BESIDE_CIRCUITS
from mitool.report.figures import label
from mitool.report.images import _titled
from mitool.tasks.min import Min
from tests.report.attention import analysed, assert_shows, by_name, changed, pattern_of

from .conftest import HOSTILE, Tags
from .test_page import own


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


def test_of_many_heads_those_that_add_most_are_drawn() -> None:
    result = analysed(Min(max_value=4), n_heads=20, d_head=2)
    study, zero = result.study, torch.zeros(())
    attribution = DirectAttribution(torch.linspace(-9, 1, 20)[None], zero[None], zero, zero)
    wide = changed(
        result,
        observation=replace(study.observation, attribution=attribution),
        answer_operand=None,
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
