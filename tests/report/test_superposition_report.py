"""The figures of experiments on superposition, of models whose weights are set by hand."""

import json
from typing import Any

import pytest
import torch
from plotly.colors import sample_colorscale

from mitool.analysis.superposition import EXPERIMENTS, measures
from mitool.analysis.superposition.experiments.phase import Diagram
from mitool.report import (
    Figure,
    render_page,
    superposition_figures,
    superposition_report,
)
from mitool.report.figures import log_ticks
from mitool.report.superposition.phase import edges
from mitool.report.superposition.shown import families_of
from mitool.report.superposition.stacks import stacks
from mitool.report.superposition.summary import course
from tests.report.conftest import HOSTILE, Tags
from tests.report.superposition import (
    PRESETS,
    drawn,
    family,
    grid,
    neurons,
    plane,
    polygon,
    sets,
    studied,
)


def bars(figure: Figure) -> list[Any]:
    return [trace for trace in figure.plot.data if trace.type == "bar"]


def ends(figure: Figure, axis: str) -> list[tuple[float, float]]:
    """Where the directions of a panel end: at every third point of its lines."""
    return [
        end
        for trace in figure.plot.data
        if trace.xaxis == axis
        for end in zip(trace.x[1::3], trace.y[1::3], strict=True)
    ]


def test_every_experiment_has_figures_and_the_losses_come_last() -> None:
    assert set(PRESETS) == set(EXPERIMENTS)
    for name, families in PRESETS.items():
        assert [*drawn(name, families)][-1] == "losses"
        without = superposition_figures(studied(name, families, n_evaluations=0))
        assert without
        assert "losses" not in [figure.name for figure in without]


def test_polygons_end_at_the_weights_from_the_densest_on() -> None:
    figure = drawn("intro", {"": plane()})["polygons"]
    names = [a.text for a in figure.plot.layout.annotations]
    assert names == ["1 - S = 1", "1 - S = 0.3", "1 - S = 0.05"]
    found = [(round(x, 3), round(y, 3)) for x, y in ends(figure, "x3")]
    corners = [(round(x, 3), round(y, 3)) for x, y in polygon(5).T.tolist()]
    assert sorted(found) == sorted(corners)
    assert len({figure.plot.layout[f"xaxis{i}"].range for i in ("", 2, 3)}) == 1
    open_ends = [
        symbol
        for trace in figure.plot.data
        if trace.xaxis == "x2"
        for symbol in trace.marker.symbol[1::3]
    ]
    assert sorted(open_ends) == ["circle"] * 4 + ["circle-open"]


def test_norms_are_bars_beside_their_products_and_biases() -> None:
    studied_plane = plane()
    figure = drawn("norms", {"": studied_plane})["norms"]
    models = studied_plane.models
    for bar, index in zip(bars(figure), (1, 2, 0), strict=True):
        norms = measures.norms(models.W)[index].tolist()
        assert list(bar.x) == pytest.approx(norms, abs=1e-3)
        superposition = measures.interference(models.W)[index].tolist()
        assert list(bar.customdata) == pytest.approx(superposition, abs=1e-3)
        shades = sample_colorscale("Viridis", [min(value, 1.0) for value in bar.customdata])
        assert list(bar.marker.color) == shades  # a number would be a warning in the browser
    product, bias = [trace for trace in figure.plot.data if trace.type == "heatmap"][:2]
    W = models.W[1]
    assert torch.allclose(torch.tensor(product.z), W.mT @ W, atol=1e-3)
    assert [row[0] for row in bias.z] == pytest.approx(models.b[1].tolist())


def test_dimensions_per_feature_over_the_inverse_density() -> None:
    figure = drawn("geometry", {"": plane()})["dimensions_per_feature"]
    (line,) = figure.plot.data
    assert list(line.x) == pytest.approx([1, 1 / 0.3, 20], rel=1e-4)
    assert list(line.y) == pytest.approx([1, 2 / 4.1, 2 / 5], rel=1e-4)


def test_the_dimensionality_of_every_feature_is_a_point() -> None:
    figure = drawn("dimensionality", {"": plane()})["dimensionality"]
    represented, others, star = figure.plot.data
    assert sorted(represented.y)[:5] == pytest.approx([0.4] * 5, abs=1e-3)
    assert (len(represented.y), len(others.y)) == (11, 4)
    assert list(star.y) == pytest.approx([1, 2 / 4.1, 2 / 5], rel=1e-4)
    at_20 = [x for x, y in zip(represented.x, represented.y, strict=True) if x > 10]
    assert len(set(at_20)) == 5
    names = [a.text for a in figure.plot.layout.annotations]
    assert "pentagon 2/5" in names
    assert "own dimension 1" in names


def test_clusters_add_up_to_all_features_and_polytopes_are_counted() -> None:
    figure = drawn("dimensionality", {"": plane()})["clusters"]
    above = [bar for bar in bars(figure) if bar.yaxis == "y"]
    assert [sum(values) for values in zip(*(bar.y for bar in above), strict=True)] == [5, 5, 5]
    below = {bar.name: tuple(bar.y) for bar in bars(figure) if bar.yaxis == "y2"}
    assert below == {"own dimension": (2, 0, 0), "digon": (0, 2, 0), "pentagon": (0, 0, 1)}


def test_phases_are_the_diagram_with_the_densest_at_the_top() -> None:
    cells = grid()
    figure = drawn("phase", {"2in1": cells})["phases"]
    trained, closed = [trace for trace in figure.plot.data if trace.type == "heatmap"]
    diagram = Diagram.of(cells)
    by_density = [2, 0, 1]
    assert [list(row) for row in trained.z] == diagram.found[by_density].tolist()
    assert [list(row) for row in closed.z] == diagram.predicted[by_density].tolist()
    assert len(trained.x) == len(trained.y) == 4
    assert trained.y[-2] < 1 < trained.y[-1]
    assert f"{diagram.agreement():.1%}" in figure.caption


def test_cells_of_like_values_share_their_room() -> None:
    assert edges([1]) == pytest.approx([10**-0.1, 10**0.1])
    assert edges([0.1, 1, 10]) == pytest.approx([10**-1.5, 10**-0.5, 10**0.5, 10**1.5])
    shared = edges([1, 1, 10])
    assert len(shared) == 4
    assert shared == sorted(shared)


def test_sets_have_a_colour_each_and_families_a_row() -> None:
    figure = drawn("correlated", sets())["correlation"]
    panel = [t for t in figure.plot.data if t.xaxis == "x3" and t.hovertext]
    assert len({trace.line.color for trace in panel}) == 2
    layout = figure.plot.layout
    assert [layout.yaxis.title.text, layout.yaxis3.title.text] == ["apart", "together"]
    assert "features 0 and 1" in [trace.name for trace in figure.plot.data]


def test_stacks_are_the_weights_of_neurons_ordered_by_importance() -> None:
    models = neurons()["relu"].models
    found = stacks(models, 0, 60)
    assert [(s.neuron, s.kind) for s in found] == [
        (1, "polysemantic"),
        (0, "monosemantic"),
        (2, "idle"),
    ]
    assert [(b.feature, b.base, b.height) for b in found[0].blocks] == [(0, 0, 1), (1, 0, -0.5)]


def test_small_weights_are_drawn_together() -> None:
    W = torch.full((1, 1000), 1e-3)
    W[0, 0] = 1
    (stack,) = stacks(family([W], hidden_activation="relu").models, 0, 60)
    assert [block.feature for block in stack.blocks] == [0, None]
    assert stack.top == pytest.approx(1.999, rel=1e-4)


def test_neurons_of_absolute_values_are_scaled_and_coloured_by_kind() -> None:
    figures = drawn("basis", neurons())
    assert [*figures] == ["neurons_linear", "neurons_relu", "neurons_abs", "losses"]
    (bar,) = bars(figures["neurons_abs"])
    assert max(bar.y) == 1
    assert min(bar.y) > 0
    assert len(set(bar.marker.color)) == 2
    first = bars(figures["neurons_relu"])[0]
    assert sorted(first.y) == pytest.approx([-0.5, 1e-3, 1, 1])


def test_losses_are_a_line_each_or_a_mean_with_its_range() -> None:
    lines = drawn("train", {"": plane()})["losses"].plot.data
    assert [line.name for line in lines] == ["1 - S = 1", "1 - S = 0.3", "1 - S = 0.05"]
    assert list(lines[0].y) == [0.5, 0.25, 0.125]
    many = family([polygon(3)] * 21, [0.9 - 0.01 * i for i in range(21)])
    low, high, mean = drawn("train", {"": many})["losses"].plot.data
    assert (high.y[0], low.y[0]) == (1, 2.0**-20)
    assert mean.y[0] == pytest.approx((2 - 2.0**-20) / 21, rel=1e-5)


def test_models_of_one_experiment_are_drawn_by_others() -> None:
    one = {"": family([torch.ones(1, 1)])}
    empty = {"": family([torch.zeros(2, 3)])}
    for name in ("norms", "geometry", "dimensionality", "train"):
        for families in (one, empty, sets(), {"2in1": grid()}, {"": plane()}):
            assert drawn(name, families)
    assert [*drawn("intro", sets())] == ["polygons_apart", "polygons_together", "losses"]
    assert drawn("intro", empty)
    assert drawn("train", neurons())


def test_of_many_models_some_are_drawn_from_end_to_end() -> None:
    densities = [0.9 - 0.01 * i for i in range(40)]
    figure = drawn("intro", {"": family([polygon(3)] * 40, densities)})["polygons"]
    names = [a.text for a in figure.plot.layout.annotations]
    assert (len(names), names[0], names[-1]) == (20, "1 - S = 0.9", "1 - S = 0.51")
    assert "20 of 40 models are drawn" in figure.caption
    alike = drawn("intro", {"": family([polygon(3)] * 2, [0.5, 0.5])})["polygons"]
    assert [a.text for a in alike.plot.layout.annotations] == [
        "1 - S = 0.5, no. 0",
        "1 - S = 0.5, no. 1",
    ]


def test_many_features_are_thinned() -> None:
    wide = family([torch.randn(2, 600, generator=torch.Generator().manual_seed(0))])
    figure = drawn("norms", {"": wide})["norms"]
    assert len(bars(figure)[0].x) == 200
    assert "every 3" in figure.caption


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_names_of_families_stay_text(name: str) -> None:
    models = [*PRESETS[name].values()][-1]
    report = superposition_report(studied(name, dict.fromkeys(HOSTILE, models)))
    page = Tags(render_page(report))
    assert all("onerror" not in tag and "onmouseover" not in tag for _, tag in page.tags)
    for figure in report.figures:
        text = json.dumps(figure.plot.layout.to_plotly_json(), default=str)
        text += "".join(str(trace.name) for trace in figure.plot.data)
        assert "<img" not in text
        assert "<script" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "intro",
            "2 (densest) to 5 (sparsest) of 5 features are represented in 2 dimensions.",
        ),
        ("dimensionality", "11 of 15 features of all models are represented"),
        ("phase", "of the cells are as the closed form says"),
        ("train", "3 models of 5 features in 2 dimensions, with a loss of 0.01 to 0.03."),
    ],
)
def test_the_report_says_what_was_found(name: str, said: str) -> None:
    report = superposition_report(studied(name, PRESETS[name]), "mitool superpose x")
    assert report.title == f"Superposition: {name}"
    assert said in report.summary


@pytest.mark.parametrize(
    ("densities", "values", "said"),
    [
        ([1.0], [3], "3"),
        ([1.0, 0.5, 0.1], [3, 3, 3], "3 (all models)"),
        ([0.1, 1.0, 0.5], [5, 2, 3], "2 (densest) to 5 (sparsest)"),
        ([1.0, 0.5, 0.1], [5, 4, 2], "5 (densest) to 2 (sparsest)"),
        # what lies between is not on the way
        ([1.0, 0.5, 0.1], [2, 9, 5], "2 (densest) to 5 (sparsest), between them 2 to 9,"),
        ([1.0, 0.5, 0.1], [4, 1, 4], "4 (densest and sparsest), between them 1 to 4,"),
        ([1.0, 0.5, 0.2, 0.1], [0, 9, 1, 10], "0 (densest) to 10 (sparsest), up and down between"),
        # a little back is not: D* of a hundred models is never quite in order
        ([1.0, 0.5, 0.2, 0.1], [1.0, 0.5, 0.52, 0.3], "1 (densest) to 0.3 (sparsest)"),
        # models that no sparsity tells apart have no first and last
        ([0.5, 0.5, 0.5], [4, 1, 3], "1 to 4"),
    ],
)
def test_what_is_said_of_sparsity_is_said_of_all_models(
    densities: list[float], values: list[float], said: str
) -> None:
    (shown,) = families_of({"": family([polygon(5)] * len(densities), densities)})
    assert course(shown, values).startswith(said)
    assert ("dens" in course(shown, values)) == ("dens" in said)


def test_models_that_are_all_alike_are_not_said_to_change() -> None:
    report = superposition_report(studied("intro", {"": family([polygon(5)] * 3)}))
    assert report.summary == "5 (all models) of 5 features are represented in 2 dimensions."


def test_a_mean_over_models_comes_with_their_range() -> None:
    square, apart = polygon(4), polygon(4)[:, [0, 2, 1, 3]]
    families = {"apart": family([square, apart], correlation="correlated", set_size=2)}
    summary = superposition_report(studied("correlated", families)).summary
    assert "mean cosine -0.50 (-1.00 to 0.00) within sets" in summary


def test_ticks_of_a_log_axis() -> None:
    assert log_ticks([1, 20])["ticktext"] == ["1", "2", "5", "10", "20"]
    assert log_ticks([1e-6, 1])["ticktext"][0] == "10<sup>-6</sup>"
    assert len(log_ticks([1e-30, 1])["tickvals"]) < 12
    assert log_ticks([3])["ticktext"] == ["3"]
    assert log_ticks([])["tickvals"]
