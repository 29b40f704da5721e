from dataclasses import replace

import pytest

from mitool.report import Figure, seeds_figures, training_figures, training_report
from mitool.report.phases import phases_of
from mitool.report.training import _seeds_summary
from mitool.training import SeedsResult, TrainResult
from mitool.training.metrics import grokked_at

from .conftest import HOSTILE, make_run


def shaded(figure: Figure) -> list[tuple[float, float]]:
    return [(s.x0, s.x1) for s in figure.plot.layout.shapes if s.type == "rect"]


def marks(figure: Figure) -> list[str]:
    return [annotation.text for annotation in figure.plot.layout.annotations]


def test_a_run_with_one_answer_has_three_figures(run: TrainResult) -> None:
    assert [f.name for f in training_figures(run)] == ["loss", "accuracy", "weight_norms"]


def test_a_run_with_several_answers_has_the_loss_at_each(run: TrainResult) -> None:
    figures = {f.name: f for f in training_figures(make_run(run.folder, answers=3))}
    lines = figures["position_losses"].plot.data
    assert [line.name for line in lines] == ["answer 0", "answer 1", "answer 2"]
    assert lines[2].y[-1] == pytest.approx(lines[0].y[-1] * 0.04, rel=1e-4)


def test_figures_show_the_history(run: TrainResult) -> None:
    loss, accuracy, norms = training_figures(run)
    train, test = loss.plot.data
    assert (train.name, test.name) == ("train", "test")
    assert list(train.x) == [e.epoch for e in run.history]
    assert test.y == pytest.approx([e.test_loss for e in run.history], rel=1e-5)
    assert accuracy.plot.data[1].y[-1] == run.history[-1].test_accuracy == 1.0
    weights = run.history[-1].weight_norms
    assert [line.name for line in norms.plot.data] == ["all weights", *weights]
    total = sum(norm**2 for norm in weights.values()) ** 0.5
    assert norms.plot.data[0].y[-1] == pytest.approx(total, rel=1e-5)


def test_every_axis_has_a_title_and_every_figure_a_caption(
    run: TrainResult, seeds: SeedsResult
) -> None:
    for figure in (*training_figures(run), *seeds_figures(seeds)):
        assert figure.plot.layout.xaxis.title.text == "epoch"
        assert figure.plot.layout.yaxis.title.text
        assert figure.caption.endswith(".")


def test_losses_are_on_a_log_axis(run: TrainResult) -> None:
    loss, accuracy, norms = training_figures(make_run(run.folder))
    assert loss.plot.layout.yaxis.type == "log"
    assert accuracy.plot.layout.yaxis.type == norms.plot.layout.yaxis.type == "linear"


def test_a_loss_of_zero_leaves_a_gap_and_a_note(run: TrainResult) -> None:
    history = tuple(replace(e, train_loss=0.0) for e in run.history)
    loss = training_figures(replace(run, history=history))[0]
    assert set(loss.plot.data[0].y) == {None}
    assert "A loss of 0 has no place on this axis" in loss.caption
    assert "A loss of 0" not in training_figures(run)[0].caption


def test_both_phases_are_marked_where_the_claims_say(run: TrainResult) -> None:
    assert (run.claims["memorised_at"], run.claims["grokked_at"]) == (200, 9050)
    for figure in training_figures(run):
        assert shaded(figure) == [(200, 9050), (9050, 25_000)]
        assert marks(figure) == ["training set fitted from epoch 200", "grokked from epoch 9,050"]
        assert (
            "grokked from epoch 9,050 (test accuracy is 1 and test loss < 0.0001" in figure.caption
        )


def test_a_phase_that_is_not_reached_is_not_marked(run: TrainResult) -> None:
    for figure in training_figures(make_run(run.folder, last=5000)):
        assert shaded(figure) == [(200, 5000)]
        assert marks(figure) == ["training set fitted from epoch 200"]
        assert "grokked" not in figure.caption


def test_a_run_without_phases_has_no_marks(run: TrainResult) -> None:
    for figure in training_figures(make_run(run.folder, last=100)):
        assert not figure.plot.layout.shapes
        assert not figure.plot.layout.annotations
        assert "Shaded" not in figure.caption


def test_phases_come_in_the_order_of_their_epochs(run: TrainResult) -> None:
    claims = {**run.claims, "memorised_at": 900, "grokked_at": 300}
    assert [phase.epoch for phase in phases_of(replace(run, claims=claims))] == [300, 900]


def test_phases_at_the_same_epoch_have_labels_of_their_own(run: TrainResult) -> None:
    claims = {**run.claims, "memorised_at": 300, "grokked_at": 300}
    figure = training_figures(replace(run, claims=claims))[0]
    assert shaded(figure) == [(300, 25_000)]
    heights = [annotation.y for annotation in figure.plot.layout.annotations]
    assert heights[0] < heights[1]


def test_a_long_history_is_thinned_to_its_end(run: TrainResult) -> None:
    long = [replace(run.history[-1], epoch=epoch) for epoch in range(5001)]
    loss = training_figures(replace(run, history=tuple(long)))[0]
    epochs = loss.plot.data[0].x
    assert (epochs[:3], epochs[-1], len(epochs)) == ((0, 3, 6), 5000, 1668)
    assert "1,668 of 5,001 evaluations are drawn" in loss.caption


def test_a_run_of_one_evaluation_is_drawn(run: TrainResult) -> None:
    for figure in training_figures(replace(run, history=run.history[:1])):
        assert figure.plot.data[0].mode == "lines+markers"


def test_seeds_are_overlaid(seeds: SeedsResult) -> None:
    loss, accuracy = seeds_figures(seeds)
    for figure in (loss, accuracy):
        assert [line.name for line in figure.plot.data] == ["seed 0", "seed 1", "seed 2"]
    assert (loss.plot.layout.yaxis.type, accuracy.plot.layout.yaxis.type) == ("log", "linear")


def test_names_of_weights_are_escaped(run: TrainResult) -> None:
    end = replace(run.history[-1], weight_norms=dict.fromkeys(HOSTILE, 1.0))
    norms = training_figures(replace(run, history=(end,)))[-1]
    for line in norms.plot.data:
        assert "<" not in line.name


def test_the_report_of_a_run_says_what_came_of_it(run: TrainResult) -> None:
    report = training_report(run, "mitool train modadd")
    assert report.title == "Training of modadd (p = 113)"
    assert report.summary == (
        "25,000 epochs: test loss 2 \u00d7 10\u207b\u2077, test accuracy 1; it grokked at epoch "
        "9,050."
    )
    assert (report.command, len(report.figures)) == ("mitool train modadd", 3)


def test_the_report_of_a_run_that_did_not_grok_says_so(run: TrainResult) -> None:
    summary = training_report(make_run(run.folder, last=1000)).summary
    assert summary.endswith("grokking was not reached.")


def test_what_generalises_at_once_has_not_grokked(run: TrainResult) -> None:
    """Grokking is to be right on the test set long after the training set: else it is learning."""
    at_once = [
        replace(e, test_accuracy=e.train_accuracy, test_loss=e.train_loss) for e in run.history
    ]
    epoch = grokked_at(at_once)
    result = replace(run, history=tuple(at_once), claims={**run.claims, "grokked_at": epoch})
    report = training_report(result)
    end = f"it generalised at epoch {epoch:,}, without having fitted its training set first."
    assert report.summary.endswith(end)
    captions = [figure.caption for figure in report.figures]
    assert all("grokked" not in caption for caption in captions)
    assert f"generalised from epoch {epoch:,} (test accuracy is 1" in captions[0]
    seeds = SeedsResult({}, {}, {}, folder=run.folder, runs=(run, result))
    both = "1 of 2 grokked, and 1 generalised without having fitted the training set first."
    assert _seeds_summary(seeds).endswith(both)


def test_what_is_lost_again_is_said(run: TrainResult) -> None:
    spike = replace(run.history[-1], epoch=25_025, test_accuracy=0.4, test_loss=3.0)
    summary = training_report(replace(run, history=(*run.history, spike))).summary
    assert summary.endswith("it grokked at epoch 9,050, which is lost at the end.")


def test_the_report_of_seeds_says_how_many_grokked(seeds: SeedsResult) -> None:
    report = training_report(seeds)
    assert report.summary.startswith("3 seeds: test loss")
    assert report.summary.endswith("3 of 3 grokked.")
    assert [figure.name for figure in report.figures] == ["test_loss", "test_accuracy"]
