"""Figures of training: one run in detail, or runs that differ in their seed side by side."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import plotly.graph_objects as go
import torch

from mitool.report.figures import (
    BLACK,
    BLUE,
    MAX_LEGEND,
    VERMILLION,
    Figure,
    add_line,
    add_lines,
    fit_legend,
    line_style,
    new_plot,
    thinned,
)
from mitool.report.heatmaps import heatmap, thinning
from mitool.report.page import Report, subject_title
from mitool.report.phases import phases_of, with_phases
from mitool.report.tables import readable
from mitool.training import Evaluation, SeedsResult, TrainResult

LOSS = "mean cross-entropy (nats)"
ACCURACY = "accuracy (share of answer tokens)"
ACCURACY_RANGE = (-0.03, 1.03)

FITTED_ALONE = 0.9
"""Test accuracy up to which a run that is right on its training set has fitted that alone."""

History = Sequence[Evaluation]


def training_report(result: TrainResult | SeedsResult, command: str | None = None) -> Report:
    """The report of a finished run, or of runs that differ in their seed.

    Args:
        command: what to type to have the same again.
    """
    title = f"Training of {subject_title(result.subject)}"
    if isinstance(result, SeedsResult):
        return Report(title, _seeds_summary(result), result, seeds_figures(result), command)
    return Report(title, _summary(result), result, training_figures(result), command)


def training_figures(result: TrainResult) -> tuple[Figure, ...]:
    """Loss, accuracy, loss by answer position where there are several, and norms of weights."""
    history = thinned(result.history)
    figures = [_loss(history), _accuracy(history)]
    if len(history[-1].test_position_losses) > 1:
        figures.append(_position_losses(history, result.answer_labels))
    figures.append(_norms(history))
    if len(history) < len(result.history):
        note = f" {len(history):,} of {len(result.history):,} evaluations are drawn."
        figures = [replace(figure, caption=figure.caption + note) for figure in figures]
    phases = phases_of(result, was_delayed=_was_delayed(result))
    return tuple(with_phases(figure, phases, history[-1].epoch) for figure in figures)


def seeds_figures(result: SeedsResult) -> tuple[Figure, ...]:
    """Test loss and test accuracy of all runs, one line for each seed."""
    loss = _by_seed(result, new_plot("epoch", LOSS, log_y=True), lambda e: e.test_loss)
    accuracy = _by_seed(result, new_plot("epoch", ACCURACY), lambda e: e.test_accuracy)
    accuracy.update_yaxes(range=ACCURACY_RANGE)
    each = f"one line for each of {len(result.runs)} seeds"
    return (
        Figure(
            "test_loss",
            "Test loss by seed",
            f"Mean cross-entropy over the answer tokens of the test examples on a log axis, {each}."
            f" A line that stays up belongs to a run that did not generalise.{_gaps(loss)}",
            loss,
        ),
        Figure(
            "test_accuracy",
            "Test accuracy by seed",
            f"Share of the answer tokens of the test examples that came out right, {each}.",
            accuracy,
        ),
    )


def _loss(history: History) -> Figure:
    plot = new_plot("epoch", LOSS, log_y=True)
    _add_train_and_test(plot, history, lambda e: (e.train_loss, e.test_loss))
    return Figure(
        "loss",
        "Train and test loss",
        "Mean cross-entropy over answer tokens, on a log axis. Where the train curve is down and "
        "the test curve is up, the model fits its training examples without generalising."
        f"{_gaps(plot)}",
        plot,
    )


def _accuracy(history: History) -> Figure:
    plot = new_plot("epoch", ACCURACY)
    _add_train_and_test(plot, history, lambda e: (e.train_accuracy, e.test_accuracy))
    plot.update_yaxes(range=ACCURACY_RANGE)
    return Figure(
        "accuracy",
        "Train and test accuracy",
        "Share of answer tokens that came out right. The distance between the curves is what the "
        "model knows of its training examples only.",
        plot,
    )


def _position_losses(history: History, labels: Sequence[str]) -> Figure:
    epochs = [e.epoch for e in history]
    by_position = {
        label: [e.test_position_losses[index] for e in history]
        for index, label in enumerate(labels)
    }
    meaning = (
        "Mean cross-entropy of the test examples at each of their answer positions. Positions that "
        "fall at different epochs are learned one after the other."
    )
    if len(labels) > MAX_LEGEND:
        lines = ([math.nan if v is None else v for v in line] for line in by_position.values())
        losses = torch.tensor(list(lines))
        plot = heatmap(losses, "epoch", "", "nats", x=epochs, y=labels)
        meaning += thinning(losses)
    else:
        plot = new_plot("epoch", LOSS, log_y=True)
        add_lines(plot, by_position, epochs)
        fit_legend(plot)
        meaning = f"{meaning} On a log axis.{_gaps(plot)}"
    return Figure("position_losses", "Test loss by answer position", meaning, plot)


def _norms(history: History) -> Figure:
    plot = new_plot("epoch", "Frobenius norm")
    epochs = [e.epoch for e in history]
    totals: list[float | None] = [math.hypot(*e.weight_norms.values()) for e in history]
    add_line(plot, "all weights", epochs, totals, color=BLACK, width=3)
    by_weight = {
        name: [e.weight_norms.get(name) for e in history] for name in history[-1].weight_norms
    }
    add_lines(plot, by_weight, epochs)
    fit_legend(plot)
    plot.update_yaxes(rangemode="tozero")
    return Figure(
        "weight_norms",
        "Norms of the weights",
        "Frobenius norm of each weight, and of all weights together (black). Under weight decay, "
        "norms that shrink while the test loss falls suggest that a simpler solution takes over.",
        plot,
    )


def _add_train_and_test(
    plot: go.Figure, history: History, values: Callable[[Evaluation], tuple[float, float]]
) -> None:
    epochs = [e.epoch for e in history]
    train, test = zip(*map(values, history), strict=True)
    add_line(plot, "train", epochs, train, color=BLUE)
    add_line(plot, "test", epochs, test, color=VERMILLION)


def _by_seed(
    result: SeedsResult, plot: go.Figure, value: Callable[[Evaluation], float]
) -> go.Figure:
    for index, run in enumerate(result.runs):
        history = thinned(run.history)
        seed = f"seed {run.config.get('seed', index)}"
        epochs = [e.epoch for e in history]
        add_line(plot, seed, epochs, [value(e) for e in history], **line_style(index))
    fit_legend(plot)
    return plot


def _gaps(plot: go.Figure) -> str:
    """What a caption says where a loss, having fallen to 0, has no place on the log axis."""
    missing = any(value is None for line in plot.data for value in line.y)
    return " A loss of 0 has no place on this axis and leaves a gap." if missing else ""


def _summary(result: TrainResult) -> str:
    last = result.history[-1]
    return (
        f"{last.epoch:,} epochs: test loss {readable(last.test_loss)}, "
        f"test accuracy {readable(last.test_accuracy)}; {_outcome(result)}."
    )


def _outcome(result: TrainResult) -> str:
    """Whether it has grokked, or generalised without; and whether it still does."""
    epoch, last = result.claims["grokked_at"], result.history[-1]
    if epoch is None:
        return "grokking was not reached"
    lost = "" if last.is_grokked else ", which is lost at the end"
    if _was_delayed(result):
        return f"it grokked at epoch {epoch:,}{lost}"
    return f"it generalised at epoch {epoch:,}, without having fitted its training set first{lost}"


def _was_delayed(result: TrainResult) -> bool:
    """Whether the training set was fitted while test answers were wrong: what grokking ends."""
    fitted = result.claims["memorised_at"]
    then = next((e for e in result.history if e.epoch == fitted), None)
    return then is not None and then.test_accuracy <= FITTED_ALONE


def _seeds_summary(result: SeedsResult) -> str:
    losses = [run.history[-1].test_loss for run in result.runs]
    reached = [run for run in result.runs if run.claims["grokked_at"] is not None]
    n_grokked, others = sum(map(_was_delayed, reached)), ""
    if n := len(reached) - n_grokked:
        others = f", and {n} generalised without having fitted the training set first"
    return (
        f"{len(losses)} seeds: test loss {readable(min(losses))} to {readable(max(losses))} at the "
        f"end; {n_grokked} of {len(losses)} grokked{others}."
    )
