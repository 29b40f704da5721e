"""The report of a search for a circuit."""

from mitool.analysis.circuits import CircuitResult
from mitool.report.circuits.ablations import ablation_figures
from mitool.report.circuits.audit import audit_figures
from mitool.report.circuits.drawing import circuit_drawing
from mitool.report.circuits.growth import growth_figures
from mitool.report.circuits.minimality import minimality_figures
from mitool.report.circuits.pairs import pair_figures
from mitool.report.circuits.scores import score_figures
from mitool.report.circuits.summary import circuit_title, summary_of
from mitool.report.figures import Figure
from mitool.report.page import Report, subject_title

__all__ = ["circuit_figures", "circuit_report"]


def circuit_report(result: CircuitResult, command: str | None = None) -> Report:
    """The report of a search for a circuit.

    Args:
        command: what to type to have the same again.
    """
    title = f"{circuit_title(result)} in {subject_title(result.subject)}"
    return Report(title, summary_of(result), result, circuit_figures(result), command)


def circuit_figures(result: CircuitResult) -> tuple[Figure, ...]:
    """The circuit, whether it does what the model does, what it was chosen by, and its parts."""
    return (
        *circuit_drawing(result),
        *growth_figures(result),
        *score_figures(result),
        *ablation_figures(result),
        *minimality_figures(result),
        *audit_figures(result),
        *pair_figures(result),
    )
