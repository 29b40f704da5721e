"""The figures of models that engineer monosemanticity, whose weights are set by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mitool.analysis.monosemanticity import StudiedModel
from mitool.report import Figure, monosemanticity_report, render_page
from mitool.report.monosemanticity.activations import pooled
from mitool.settings.monosemanticity import SCALES
from tests.report.conftest import HOSTILE, Tags
from tests.report.monosemanticity import drawn, lone, model, own_neurons, result_of, sweep

RATES = [{"learning_rate": rate} for rate in (0.03, 0.001, 0.01)]
MOST_BYTES = 25e6


def levels(figure: Figure) -> np.ndarray:
    return np.asarray(figure.plot.data[0].z)


def test_monosemantic_neurons_are_on_the_diagonal() -> None:
    figure = drawn(lone(own_neurons()))["activations"]
    # neurons 2, 3, 4, 0, 1; features 2, 0, 1; in percent of the largest, which is 2
    assert levels(figure).tolist() == [
        [50, 0, 0, 25, 0],
        [0, 100, 40, 25, 0],
        [0, 0, 10, 25, 0],
    ]
    assert list(figure.plot.data[0].colorbar.ticktext) == ["0", "0.5", "1", "1.5", "2"]
    (boundary,) = figure.plot.layout.shapes
    assert boundary.x0 == boundary.x1 == 1.5
    assert "The 2 of 5 neurons left of the dotted line are monosemantic." in figure.caption
    assert "No feature activates 1 of the neurons." in figure.caption


def test_several_features_on_are_added_in_every_row() -> None:
    figure = drawn(lone(own_neurons()))["several"]
    # of three features three are others: every row is the sum of all, of which 2 is the largest
    assert levels(figure).tolist() == [[50, 100, 50, 75, 0]] * 3
    assert "the features 0, 1, 2 at 1" in figure.caption


def test_negative_activations_are_colours_below_nothing() -> None:
    W_in = torch.tensor([[4.0, -0.7], [-0.7, 4.0]])
    figures = drawn(lone(W_in, activation="gelu"))
    figure = figures["activations"]
    for name in ("shares", "neurons"):
        assert "Some activations are negative" in figures[name].caption
        assert "negative" not in drawn(lone(own_neurons()))[name].caption
    # GeLU(-0.7) is -0.169, and GeLU(4) nearly 4
    assert levels(figure).tolist() == [[100, -4], [-4, 100]]
    assert figure.plot.data[0].zmin == -4


def test_pooled_cells_are_the_largest() -> None:
    values = torch.zeros(5, 7)
    values[4, 6], values[1, 2], values[0, 3] = 3, 2, -1
    cells, size = pooled(values, 4)
    assert size == (2, 2)
    assert cells.tolist() == [[0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 3]]


def test_a_diagonal_of_many_neurons_is_still_one() -> None:
    figure = drawn(lone(torch.eye(600)))["activations"]
    assert levels(figure).tolist() == (100 * torch.eye(200)).int().tolist()
    assert (figure.plot.data[0].x0, figure.plot.data[0].dx) == (1, 3)
    assert "largest activation of 3 neurons and 3 features" in figure.caption
    assert "All of 600 neurons are monosemantic." in figure.caption


def test_features_and_neurons_are_bars() -> None:
    figures = drawn(lone(own_neurons()))
    bars = figures["features"].plot.data
    assert [list(bar.y) for bar in bars] == [
        [0, 2, 0.8, 0.5, 0],
        [0, 0, 0.2, 0.5, 0],
        [1, 0, 0, 0.5, 0],
    ]
    names = [a.text for a in figures["features"].plot.layout.annotations]
    assert names == [
        "feature 0, which has 1 neuron of its own",
        "feature 1, which has no neuron of its own",
        "feature 2, which has 1 neuron of its own",
    ]
    neurons = figures["neurons"].plot
    # of four that are active at all: neurons 2, 3 and 0
    assert [list(bar.y) for bar in neurons.data] == [[0, 0, 1], [2, 0, 0], [0.5, 0.5, 0.5]]
    assert neurons.layout.annotations[2].text == ("neuron 0, the least monosemantic: share 0.3333")
    # the others that are on are all of three features
    several = figures["neurons_several"].plot
    assert [list(bar.y) for bar in several.data] == [[1] * 3, [2] * 3, [1.5] * 3]
    assert "the features 0, 1, 2 at 1" in figures["neurons_several"].caption


def test_neurons_are_sorted_by_their_share() -> None:
    figure = drawn(lone(own_neurons()))["shares"]
    (line,) = figure.plot.data
    assert list(line.y) == pytest.approx([1, 1, 0.8, 1 / 3, 0], abs=1e-6)
    assert list(line.x) == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])


def test_training_is_a_line_for_each_model_and_has_gaps_where_one_diverged() -> None:
    figure = drawn(sweep(RATES, losses=[None, 0.2, 0.3]))["training"]
    first = [trace for trace in figure.plot.data if trace.name == "0.03"]
    assert [list(trace.y) for trace in first] == [
        [4, None, None],
        [pytest.approx(1 / 3, rel=1e-5), None, None],
        [-0.1, None, None],
    ]
    second = [trace for trace in figure.plot.data if trace.name == "0.001"]
    assert list(second[1].y) == pytest.approx([1 / 3, 2 / 3, 4 / 3], rel=1e-5)
    assert list(second[0].x) == [1, 2, 4]
    assert "A line ends where its model diverged." in figure.caption
    # the line at 1, which these reach
    assert figure.plot.layout.shapes[0].y0 == 1
    assert len({trace.line.color for trace in figure.plot.data}) == 3


def test_without_a_history_there_is_no_figure_of_training() -> None:
    assert "training" not in drawn(sweep(RATES, history=()))


def test_a_sweep_is_drawn_in_the_order_of_its_values() -> None:
    figures = drawn(sweep(RATES, losses=[None, 0.2, 0.3]))
    per_feature, per_neuron, loss = figures["sweep"].plot.data
    assert list(loss.x) == [0.001, 0.01, 0.03]
    assert list(loss.y) == [0.2, 0.3, None]
    assert list(per_feature.y) == [0.666667, 0.666667, None]
    assert list(per_neuron.y) == [0.4, 0.4, None]
    assert list(figures["sweep"].plot.layout.xaxis.ticktext) == ["0.001", "0.01", "0.03"]
    assert figures["sweep"].plot.layout.xaxis.type == "log"
    assert "Models that diverged have no point." in figures["sweep"].caption
    # the diverged model is the first
    assert "activations_model-0" not in figures
    assert "activations_model-1" in figures


def test_two_axes_are_a_line_for_each_value_of_the_shorter() -> None:
    points = [
        {"learning_rate": rate, "initial_bias": bias}
        for rate in (0.01, 0.001)
        for bias in (-1.0, 0.0, 1.0)
    ]
    figure = drawn(sweep(points))["sweep"]
    lines = figure.plot.data[2::3]
    assert [line.name for line in lines] == ["0.001", "0.01"]
    assert list(lines[0].x) == [-1, 0, 1]
    assert list(lines[0].y) == pytest.approx([0.4, 0.5, 0.6])
    assert figure.plot.layout.xaxis.type is None
    assert figure.plot.layout.legend.title.text == "learning_rate"


def test_words_are_places_without_lines_between_them() -> None:
    figure = drawn(sweep([{"task": task} for task in ("decoder", "abs")]))["sweep"]
    assert list(figure.plot.data[0].x) == ["decoder", "abs"]
    assert figure.plot.data[0].mode == "markers"
    assert figure.plot.layout.xaxis.type == "category"


def test_the_number_of_features_is_marked_among_numbers_of_neurons() -> None:
    points = [{"k": k} for k in (2, 64)]
    figure = drawn(sweep(points, [torch.ones(3, 2), torch.ones(3, 64)]))["sweep"]
    assert {shape.x0 for shape in figure.plot.layout.shapes} == {3}
    assert "dotted where there are as many neurons as features (3)" in figure.caption


def test_of_many_models_a_few_have_images() -> None:
    figures = drawn(sweep([{"learning_rate": 0.01 * (i + 1)} for i in range(7)]))
    drawn_too = [name for name, f in figures.items() if f.of and f.has_image]
    assert {name.rpartition("_model-")[2] for name in drawn_too} == {"0", "3", "6"}
    assert "of 3 of 7 models" in figures["activations_model-1"].caption
    assert "Images" not in drawn(sweep(RATES))["activations_model-1"].caption


def test_of_very_many_models_some_have_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitool.report.monosemanticity.shown.MOST_SHOWN", 4)
    points = [{"half_period": 100 + i} for i in range(7)]
    figures = drawn(sweep(points))
    assert {f.of for f in figures.values() if f.of} == {
        f"half_period={100 + i}" for i in (0, 2, 4, 6)
    }
    for name in ("shares", "activations_model-0"):
        assert "4 of 7 models are shown" in figures[name].caption


def test_a_lone_model_has_no_chooser() -> None:
    report = monosemanticity_report(lone(own_neurons()))
    assert [f.name for f in report.figures] == [
        *("training", "shares", "activations", "several", "features", "neurons"),
        "neurons_several",
    ]
    assert not Tags(render_page(report)).all("select")
    assert not report.tables
    assert report.summary == (
        "1 model of N = 3 features, m = 3 dimensions and k = 5 neurons (ReLU), whose outputs are "
        "to be the features (decoder). 2 monosemantic neurons (0.667 per feature), loss 0.5."
    )


def test_the_summary_names_the_models_with_most_and_fewest() -> None:
    weights = [torch.ones(3, 5), own_neurons(), torch.ones(3, 5)]
    result = sweep(RATES, weights, [0.5, 0.25, None], preset="LR1", scale="small")
    summary = monosemanticity_report(result).summary
    assert "learning_rate is swept over 3 values, 0.001 to 0.03." in summary
    assert "Most: 2 monosemantic neurons (0.667 per feature), loss 0.25, at learning" in summary
    assert "Fewest: 0 monosemantic neurons (0 per feature), loss 0.5, at learning" in summary
    assert "as many" not in summary
    assert f"Scaled down from preset LR1 of the published table: {SCALES['small']}." in summary
    equals = [own_neurons(), torch.ones(3, 5), torch.ones(3, 5)]
    summary = monosemanticity_report(sweep(RATES, equals, [0.25, 0.5, 0.4])).summary
    assert "loss 0.25, at learning_rate=0.03. Fewest:" in summary
    assert summary.endswith("(as many in 1 other).")
    (table,) = monosemanticity_report(result).tables
    assert table.columns == ("learning_rate", "loss", "monosemantic_neurons")
    assert [cell.text for cell in table.rows[2][1]] == ["0.01", "undefined", "undefined"]


def test_models_with_as_many_such_neurons_are_told_by_their_losses() -> None:
    summary = monosemanticity_report(sweep(RATES, losses=[None, 0.2, 0.3])).summary
    assert summary.endswith(
        "All that have not diverged have 2 monosemantic neurons (0.667 per feature), "
        "with losses of 0.2 to 0.3."
    )


def test_where_all_diverged_there_are_the_sweep_and_the_training() -> None:
    result = sweep(RATES, losses=[None] * 3)
    assert [*drawn(result)] == ["training", "sweep"]
    assert "All have diverged." in monosemanticity_report(result).summary


def test_names_of_models_stay_text() -> None:
    s, found = model(own_neurons())
    models = {text: StudiedModel({text: text}, s, found, 0.5) for text in HOSTILE}
    # all are points of one axis, itself hostile
    axis = HOSTILE[3]
    models = {name: replace(m, point={axis: name}) for name, m in models.items()}
    report = monosemanticity_report(result_of(models, preset=HOSTILE[0], scale=HOSTILE[1]))
    read = Tags(render_page(report))
    assert not [a for _, attributes in read.tags for a in attributes if a.startswith("on")]
    assert not read.all("img")
    assert read.texts["option"] == list(HOSTILE)
    for figure in report.figures:
        text = json.dumps(figure.plot.layout.to_plotly_json(), default=str)
        text += "".join(f"{trace.name}{trace.hovertemplate}" for trace in figure.plot.data)
        assert "<img" not in text
        assert "<script" not in text


def test_a_page_of_66_published_models_is_of_reasonable_size() -> None:
    draws = torch.Generator().manual_seed(0)
    noisy = lone(torch.randn(512, 1024, generator=draws))
    page = len(render_page(monosemanticity_report(noisy)))
    without = replace(monosemanticity_report(noisy), figures=())
    scripts = len(render_page(replace(without, figures=[drawn(lone(own_neurons()))["shares"]])))
    assert scripts + 66 * (page - scripts) < MOST_BYTES


def test_many_models_have_figures_of_their_own() -> None:
    points = [
        {"learning_rate": 0.001 * (i + 1), "initial_bias": float(j)}
        for i in range(3)
        for j in range(4)
    ]
    report = monosemanticity_report(sweep(points))
    read = Tags(render_page(report))
    assert len(read.all("option")) == 12
    groups = [a for a in read.all("div") if a.get("class") == "choice"]
    assert ["hidden" in group for group in groups] == [False] + [True] * 11
    assert len(read.all("figure")) == 3 + 5 * 12
