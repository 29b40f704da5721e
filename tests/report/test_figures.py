import math

import pytest
import torch

from mitool.report import Figure
from mitool.report.figures import (
    HEIGHT,
    MAX_LEGEND,
    add_line,
    add_lines,
    fit_legend,
    label,
    new_plot,
    spread,
)
from mitool.report.heatmaps import thinning


def test_a_label_has_no_html_for_plotly_to_read() -> None:
    assert label("<b>W</b> & <a href='x'>") == "&lt;b&gt;W&lt;/b&gt; &amp; &lt;a href='x'&gt;"


def test_a_label_is_cut_before_it_is_escaped() -> None:
    assert label("<" * 9, limit=4) == "&lt;&lt;&lt;…"


def test_a_label_of_a_file_name_that_is_no_utf8_can_be_written() -> None:
    assert label("run\udcff") == "run?"


def test_axes_have_titles() -> None:
    plot = new_plot("epoch", "loss <nats>")
    assert plot.layout.xaxis.title.text == "epoch"
    assert plot.layout.yaxis.title.text == "loss &lt;nats&gt;"


def test_what_a_log_axis_cannot_show_is_a_gap() -> None:
    plot = new_plot("epoch", "loss", log_y=True)
    add_line(plot, "train", range(6), [1.0, 0.0, -1.0, math.nan, math.inf, None])
    assert plot.data[0].y == (1.0, None, None, None, None, None)


def test_a_linear_axis_shows_zero_and_less() -> None:
    plot = new_plot("epoch", "accuracy")
    add_line(plot, "train", range(4), [0.0, -1.0, math.nan, 0.123456789])
    assert plot.data[0].y == (0.0, -1.0, None, 0.123457)


def test_many_lines_differ_in_colour_or_dashes() -> None:
    plot = new_plot("epoch", "norm")
    add_lines(plot, {f"W{i}": [1.0] for i in range(28)}, [0])
    assert len({(line.line.color, line.line.dash) for line in plot.data}) == 28


@pytest.mark.parametrize(
    ("n_lines", "height", "has_legend"),
    [(2, HEIGHT, True), (MAX_LEGEND, 553, True), (MAX_LEGEND + 1, HEIGHT, False)],
)
def test_a_plot_grows_with_its_legend(n_lines: int, height: int, has_legend: bool) -> None:
    plot = new_plot("epoch", "norm")
    add_lines(plot, {f"W{i}": [1.0] for i in range(n_lines)}, [0])
    fit_legend(plot)
    assert (plot.layout.height, plot.layout.showlegend) == (height, has_legend)


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "<b>", "-a", "a.png"])
def test_a_name_that_is_no_file_stem_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name: expected letters"):
        Figure(name, "title", "caption", new_plot("x", "y"))


def test_of_many_things_some_are_spread_from_the_first_to_the_last() -> None:
    assert spread(3, 3) == [0, 1, 2]
    assert spread(9, 3) == [0, 4, 8]
    assert spread(9, 1) == [0]
    assert spread(0, 3) == []


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((256, 256), ""),
        ((300, 300), " One row and column of every 2 are drawn."),
        ((300, 24), " One row of every 2 is drawn."),
        ((300, 600), " One row of every 2 is drawn. One column of every 3 is drawn."),
    ],
)
def test_a_caption_says_which_cells_of_a_large_heatmap_are_drawn(
    shape: tuple[int, int], said: str
) -> None:
    assert thinning(torch.zeros(shape)) == said
