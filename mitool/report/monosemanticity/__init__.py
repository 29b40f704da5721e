"""The report of models that engineer monosemanticity."""

from mitool.analysis.monosemanticity import MonosemanticityResult
from mitool.report.figures import Figure
from mitool.report.monosemanticity.activations import activation_figures
from mitool.report.monosemanticity.features import feature_figure, neuron_figures
from mitool.report.monosemanticity.shares import share_figures
from mitool.report.monosemanticity.shown import shown_of
from mitool.report.monosemanticity.summary import models_table, summary_of
from mitool.report.monosemanticity.sweep import sweep_figures
from mitool.report.monosemanticity.training import training_figures
from mitool.report.page import Report

__all__ = ["monosemanticity_figures", "monosemanticity_report"]


def monosemanticity_report(result: MonosemanticityResult, command: str | None = None) -> Report:
    """The report of a sweep, or of a lone model.

    Args:
        command: what to type to have the same again.
    """
    title = "Engineering monosemanticity"
    return Report(
        f"{title}: {result.preset}" if result.preset else title,
        summary_of(result),
        result,
        monosemanticity_figures(result),
        command,
        tables=models_table(result),
    )


def monosemanticity_figures(result: MonosemanticityResult) -> tuple[Figure, ...]:
    """Figures of all models, and then of each."""
    shared = (*training_figures(result), *sweep_figures(result), *share_figures(result))
    own = (
        figure
        for shown in shown_of(result)
        for figure in (*activation_figures(shown), feature_figure(shown), *neuron_figures(shown))
    )
    return (*shared, *own)
