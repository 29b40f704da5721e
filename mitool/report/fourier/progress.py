"""Figures of the progress measures through training."""

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from mitool.analysis.fourier.phases import Phases
from mitool.analysis.fourier.progress import Measures
from mitool.analysis.fourier.result import FourierStudy
from mitool.report.figures import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    Figure,
    add_line,
    add_lines,
    new_plot,
)
from mitool.report.fourier.bars import named
from mitool.report.phases import Phase, with_phases

LOSS = "mean cross-entropy (nats)"


def progress_figures(study: FourierStudy) -> list[Figure]:
    """Nothing where a single checkpoint was analysed."""
    measures = study.progress
    if len(measures) < 2:
        return []
    figures = [_sparsity(measures), _weights(measures)]
    if study.key_frequencies:
        keys = study.key_frequencies
        figures = [_losses(measures), _excluded_each(measures, keys), *figures, *_ideal(measures)]
    phases = _phases(study.phases)
    return [with_phases(figure, phases, measures[-1].epoch) for figure in figures]


def _losses(measures: Sequence[Measures]) -> Figure:
    plot = new_plot("epoch", LOSS, log_y=True)
    part = _excluded_part(measures)
    if part == "train":
        _line(plot, measures, "train", lambda m: m.loss["train"], color=BLUE)
        _line(plot, measures, "test", lambda m: m.loss["test"], color=VERMILLION)
    else:
        _line(plot, measures, "all pairs", lambda m: m.loss["all"], color=BLUE)
    _line(plot, measures, "restricted, all pairs", lambda m: m.restricted["all"], color=GREEN)
    _line(plot, measures, f"excluded, {part} pairs", lambda m: m.excluded[part], color=PURPLE)
    return Figure(
        "progress_losses",
        "Progress measures: restricted and excluded loss",
        "Restricted: with only the last checkpoint's key frequencies kept, on all pairs; where it "
        "falls before the test loss, their circuit forms before it shows. Excluded: with them "
        f"removed, on {part} pairs; where it rises for good, the model comes to rely on them. In a "
        "spike of the training all of them rise, and come back. On a log axis.",
        plot,
    )


def _excluded_each(measures: Sequence[Measures], keys: Sequence[int]) -> Figure:
    plot = new_plot("epoch", LOSS, log_y=True)
    lines = {f"without {k}": [m.excluded_each[k] for m in measures] for k in keys}
    add_lines(plot, lines, [m.epoch for m in measures])
    return Figure(
        "progress_excluded",
        "Progress measures: excluded loss of each frequency",
        f"The loss on {_excluded_part(measures)} pairs with one key frequency ({named(keys)}) "
        "removed from the logits, on a log axis.",
        plot,
    )


def _excluded_part(measures: Sequence[Measures]) -> str:
    """The pairs that excluded losses are of: all, where it is not known which trained."""
    return "all" if measures[0].loss["train"] is None else "train"


def _sparsity(measures: Sequence[Measures]) -> Figure:
    plot = new_plot("epoch", "Gini coefficient")
    _line(plot, measures, "embedding W_E", lambda m: m.gini_embedding, color=BLUE)
    if measures[0].gini_neuron_logit is not None:
        _line(plot, measures, "W_out W_U", lambda m: m.gini_neuron_logit, color=ORANGE)
    plot.update_yaxes(range=(0, 1))
    return Figure(
        "progress_gini",
        "Progress measures: sparsity in the Fourier basis",
        "Gini coefficient of the norms of the Fourier components: 0 if all are alike, near 1 if "
        "a few hold everything.",
        plot,
    )


def _weights(measures: Sequence[Measures]) -> Figure:
    plot = new_plot("epoch", "sum of squared weights")
    _line(plot, measures, "all weights", lambda m: m.squared_weights, color=BLUE)
    plot.update_yaxes(rangemode="tozero")
    return Figure(
        "progress_weights",
        "Progress measures: sum of squared weights",
        "Where it falls while the test loss does, the general solution, whose weights are smaller, "
        "takes over from the memorised one.",
        plot,
    )


def _ideal(measures: Sequence[Measures]) -> list[Figure]:
    cosine = new_plot("epoch", "cosine similarity")
    _line(cosine, measures, "to the ideal", lambda m: m.cosine_to_ideal, color=BLUE)
    cosine.update_yaxes(range=(-0.05, 1.05))
    residual = new_plot("epoch", "root mean square (logits)")
    _line(residual, measures, "residual", lambda m: m.residual_rms, color=BLUE)
    residual.update_yaxes(rangemode="tozero")
    return [
        Figure(
            "progress_ideal",
            "Progress measures: likeness to the ideal logits",
            "Cosine similarity of the centred logits to the plain sum of the key cosines.",
            cosine,
        ),
        Figure(
            "progress_residual",
            "Progress measures: what the key cosines leave",
            "Root mean square of what the fitted key cosines leave of the centred logits.",
            residual,
        ),
    ]


def _phases(phases: Phases) -> list[Phase]:
    meanings = {
        "memorisation_end": ("circuit formation", "the excluded loss is lowest", ORANGE),
        "circuit_formation_end": ("clean-up", "the excluded loss is highest", PURPLE),
        "cleanup_end": (
            "cleaned up",
            "at most 5 % are left of the fall in squared weights, for good",
            GREEN,
        ),
    }
    return [
        Phase(name, meaning, epoch, color, phases.between[end])
        for end, (name, meaning, color) in meanings.items()
        if (epoch := phases.ends[end]) is not None
    ]


def _line(
    plot: go.Figure,
    measures: Sequence[Measures],
    name: str,
    value: Callable[[Measures], float | None],
    color: str,
) -> None:
    add_line(plot, name, [m.epoch for m in measures], [value(m) for m in measures], color=color)
