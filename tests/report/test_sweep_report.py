"""The page of a sweep, of results made by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from mitool.report import render_page, sweep_figures, sweep_report
from mitool.sweeps import Outcome, Point, SweepResult

AXES = {
    "lr": (0.001, 0.001, 0.001, 0.1, 0.1, 0.1),
    "op": ("<b>add", "<b>add", "mul", "<b>add", "<b>add", "mul"),
    "seed": (0, 1, 0, 0, 1, 0),
}
LOSS = [1.0, 3.0, 1e-3, 10.0, 20.0, None]


def _result(axes: dict[str, tuple[object, ...]], claims: dict[str, Any]) -> SweepResult:
    n = len(next(iter(axes.values())))
    outcomes = [
        Outcome(Point(f"p{i}", {}, ()), int(i == 5), "<i>diverged" if i == 5 else None, {}, 1.0)
        for i in range(n)
    ]
    counts = {"points": n, "done": n - 1, "failed": 1}
    config = {"command": ["train", "modadd"], "axes": {}, "points": {}}
    return SweepResult(
        {"command": "train modadd", "run": "s"},
        config,
        {**counts, **claims},
        folder=Path("s"),
        axes=axes,
        outcomes=tuple(outcomes),
    )


@pytest.fixture
def result() -> SweepResult:
    claims = {"loss": LOSS, "epochs": [5] * 5 + [None], "name": [*"abcde", None]}
    return _result(AXES, claims)


def test_each_axis_but_the_seed_has_a_figure_of_the_claims_that_vary(result: SweepResult) -> None:
    over_lr, over_op, a_map = sweep_figures(result)
    assert [over_lr.name, over_op.name, a_map.name] == ["over_lr", "over_op", "map_loss"]
    assert [note.text for note in over_lr.plot.layout.annotations] == ["loss"]
    dots_add, line_add, dots_mul, line_mul = over_lr.plot.data[:4]
    assert list(dots_add.x) == [0.001, 0.001, 0.1, 0.1]
    assert list(dots_add.y) == [1, 3, 10, 20]
    assert list(line_add.x) == [0.001, 0.1]
    assert list(line_add.y) == [2, 15]  # medians of 1 and 3, and of 10 and 20
    assert dots_add.name == "op = &lt;b&gt;add"
    assert (list(dots_mul.y), list(line_mul.y)) == ([1e-3], [1e-3])
    assert over_lr.plot.layout.xaxis.type == "log"
    assert over_lr.plot.layout.yaxis.type == "log"
    assert list(over_lr.plot.layout.xaxis.ticktext) == ["0.001", "0.1"]
    assert over_op.plot.layout.xaxis.type == "category"
    assert list(over_op.plot.layout.xaxis.categoryarray) == ["&lt;b&gt;add", "mul"]


def test_captions_say_what_is_missing_and_what_is_on_a_log_scale(result: SweepResult) -> None:
    caption = sweep_figures(result)[0].caption
    assert "On a log axis: loss." in caption
    assert "1 of 6 points failed and are left out." in caption
    assert "with the same op, by colour" in caption
    undefined = _result(AXES, {"loss": [None, *LOSS[1:]]})
    assert "loss is undefined at 1 points." in sweep_figures(undefined)[0].caption


def test_a_map_has_the_medians_of_both_axes(result: SweepResult) -> None:
    cells = sweep_figures(result)[2].plot.data[0]
    # log10 of the medians 2, 15 and 0.001; no point is done at lr = 0.1 of mul
    assert json.loads(json.dumps(cells.z)) == [[0.301, 1.176], [-3.0, None]]
    assert list(cells.x) == ["0.001", "0.1"]


def test_seeds_are_drawn_where_there_is_nothing_else() -> None:
    result = _result({"seed": tuple(range(6))}, {"loss": LOSS})
    (figure,) = sweep_figures(result)
    assert figure.name == "over_seed"


def test_metrics_are_chosen_and_the_rest_is_counted() -> None:
    claims = {f"claim{i}": [float(i + k) for k in range(5)] + [None] for i in range(14)}
    result = _result(AXES, claims)
    figures = sweep_figures(result)
    assert len(figures[0].plot.layout.annotations) == 12
    assert "2 more claims vary; --metric NAME chooses." in figures[0].caption
    (chosen, *_) = sweep_figures(result, ["claim13"])
    assert [note.text for note in chosen.plot.layout.annotations] == ["claim13"]
    assert sweep_figures(_result({"lr": (1,) * 6}, {"loss": LOSS})) == ()


def test_the_page_lists_all_points_and_escapes_what_they_say(result: SweepResult) -> None:
    page = render_page(sweep_report(result, "mitool sweep 'train modadd'"))
    assert "Sweep of train modadd over lr, op" in page
    assert "6 points: 5 done, 1 failed." in page
    assert "failed (1): &lt;i&gt;diverged" in page
    assert "<i>diverged" not in page
    assert "&lt;b&gt;add" in page
    for index in range(6):
        assert f'<th scope="row">p{index}</th>' in page
