"""The report of an experiment on superposition."""

from collections.abc import Callable

from mitool.analysis.superposition import SuperpositionResult
from mitool.report.figures import Figure
from mitool.report.page import Report
from mitool.report.superposition.basis import basis_figures
from mitool.report.superposition.correlated import correlation_figures
from mitool.report.superposition.dimensionality import dimensionality_figures
from mitool.report.superposition.geometry import geometry_figures
from mitool.report.superposition.losses import final_loss_figures, loss_figures
from mitool.report.superposition.norms import norm_figures
from mitool.report.superposition.phase import phase_figures
from mitool.report.superposition.polygons import polygon_figures
from mitool.report.superposition.summary import summary_of

__all__ = ["superposition_figures", "superposition_report"]

FIGURES: dict[str, Callable[[SuperpositionResult], tuple[Figure, ...]]] = {
    "intro": polygon_figures,
    "norms": norm_figures,
    "geometry": geometry_figures,
    "dimensionality": dimensionality_figures,
    "phase": phase_figures,
    "correlated": correlation_figures,
    "basis": basis_figures,
}
"""What an experiment draws beside losses over training; others draw those at its end."""


def superposition_report(result: SuperpositionResult, command: str | None = None) -> Report:
    """The report of an experiment on superposition.

    Args:
        command: what to type to have the same again.
    """
    title = f"Superposition: {result.experiment.name}"
    return Report(title, summary_of(result), result, superposition_figures(result), command)


def superposition_figures(result: SuperpositionResult) -> tuple[Figure, ...]:
    """The figures of the experiment, and losses over training where these are known."""
    own = FIGURES.get(result.experiment.name, final_loss_figures)
    return (*own(result), *loss_figures(result))
