"""The figures of a Fourier analysis of a model that is set by hand."""

from dataclasses import replace
from typing import Any

import pytest

from mitool.analysis.fourier import FourierResult, analyze_fourier
from mitool.analysis.fourier.progress import Measures
from mitool.report import Figure, fourier_figures, fourier_report, render_page
from mitool.tasks.modadd import ModAdd
from tests.analysis.fourier.handset import subject_of, trig_model

TERMS = {3: (1.1, 6.0), 7: (1.0, 5.0)}


@pytest.fixture(scope="module")
def result() -> FourierResult:
    task = ModAdd(p=23)
    return analyze_fourier(subject_of(trig_model(task, TERMS), task))


@pytest.fixture(scope="module")
def figures(result: FourierResult) -> dict[str, Figure]:
    return {figure.name: figure for figure in fourier_figures(result)}


def data(figure: Figure, trace: int = 0) -> Any:
    return figure.plot.data[trace]


def test_every_axis_is_named_and_every_figure_captioned(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        assert figure.caption.endswith(".")
        layout = figure.plot.layout
        assert layout.xaxis.title.text or figure.name.startswith(("attention", "neuron_examples"))
        assert layout.yaxis.title.text or figure.name == "causal_tests"


def test_bars_tell_key_frequencies_apart(figures: dict[str, Figure]) -> None:
    bars = data(figures["logit_frequencies"])
    dark = [k for k, color in zip(bars.x, bars.marker.color, strict=True) if color == "#0072B2"]
    assert dark == [3, 7]
    assert [a.text for a in figures["logit_frequencies"].plot.layout.annotations] == ["3", "7"]
    assert bars.y[2] == pytest.approx(36 / 61, abs=1e-4)


def test_the_formula_lies_on_the_model(figures: dict[str, Figure]) -> None:
    model, formula = figures["logit_by_difference"].plot.data
    assert list(model.x) == list(range(-11, 12))
    assert list(model.y) == pytest.approx(list(formula.y), abs=1e-5)
    assert model.y[11] == pytest.approx(11)


def test_the_identity_is_four_like_bars_a_frequency(figures: dict[str, Figure]) -> None:
    written, held, other = figures["trig_identity"].plot.data
    assert list(written.y) == pytest.approx([6] * 4 + [5] * 4, abs=1e-5)
    assert list(held.y) == pytest.approx([6] * 4 + [5] * 4, abs=1e-5)
    assert list(other.y) == pytest.approx([0] * 8, abs=1e-5)


def test_causal_tests_show_each_test_for_train_and_test(
    figures: dict[str, Figure], result: FourierResult
) -> None:
    train, test = figures["causal_tests"].plot.data
    assert (train.name, test.name) == ("train", "test")
    assert set(train.y) == set(result.study.outcomes)
    assert figures["causal_tests"].plot.layout.yaxis.type == "category"
    assert train.text[-1] == "100.0% right"


def test_heatmaps_of_both_signs_are_centred_on_zero(figures: dict[str, Figure]) -> None:
    for name in ("basis", "embedding_in_basis"):
        assert data(figures[name]).zmid == 0
    cells = data(figures["logit_grid"])
    assert (len(cells.z), len(cells.z[0])) == (23, 23)
    assert cells.z[0][0] == 0  # the constant would drown the rest
    assert cells.z[5][6] > 1


def test_operands_of_a_multiplication_stand_by_their_logarithms() -> None:
    task = ModAdd(p=11, op="multiply")
    found = fourier_figures(analyze_fourier(subject_of(trig_model(task, {3: (1.0, 5.0)}), task)))
    for name in ("attention_to_a", "neuron_examples"):
        (figure,) = (figure for figure in found if figure.name == name)
        layout = figure.plot.layout
        assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("log b", "log a"), name


@pytest.mark.parametrize(("train", "part"), [(0.5, "train"), (None, "all")])
def test_progress_says_which_pairs_its_excluded_losses_are_of(
    result: FourierResult, train: float | None, part: str
) -> None:
    losses = {"train": train, "test": train, "all": 0.7}
    measures = [
        Measures(epoch, losses, losses, losses, losses, {3: 1.0, 7: 2.0}, 0.5, 0.6, 9.0, 0.9, 0.1)
        for epoch in (100, 200)
    ]
    study = replace(result.study, progress=tuple(measures))
    found = {figure.name: figure for figure in fourier_figures(replace(result, study=study))}
    assert f"with them removed, on {part} pairs;" in found["progress_losses"].caption
    assert found["progress_losses"].plot.data[-1].name == f"excluded, {part} pairs"
    each = found["progress_excluded"]
    assert each.caption.startswith(f"The loss on {part} pairs with one key frequency (3, 7)")
    assert [line.y for line in each.plot.data] == [(1.0, 1.0), (2.0, 2.0)]


def test_the_page_says_what_was_found(result: FourierResult) -> None:
    report = fourier_report(result, "mitool analyze fourier x")
    page = render_page(report)
    assert "Fourier analysis of addition modulo 23" in page
    assert "logit(c | a, b) = 6 cos(3w(a + b - c)) + 5 cos(7w(a + b - c))" in page
    for figure in report.figures:
        assert f'id="figure-{figure.name}"' in page
