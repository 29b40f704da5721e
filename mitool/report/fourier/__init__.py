"""The report of a Fourier analysis."""

from mitool.analysis.fourier import FourierResult
from mitool.report.figures import Figure
from mitool.report.fourier.embedding import attention_figures, embedding_figures
from mitool.report.fourier.logits import logit_figures
from mitool.report.fourier.neurons import neuron_figures
from mitool.report.fourier.progress import progress_figures
from mitool.report.page import Report

__all__ = ["fourier_figures", "fourier_report"]

OPERATIONS = {
    "add": "addition",
    "subtract": "subtraction",
    "multiply": "multiplication",
    "square-sum": "sums of squares",
}


def fourier_report(result: FourierResult, command: str | None = None) -> Report:
    """The report of a Fourier analysis.

    Args:
        command: what to type to have the same again.
    """
    claims = result.claims
    task = f"{OPERATIONS[str(claims['op'])]} modulo {claims['p']}"
    summary = result.conclusion or "No key frequency of the logits: the model has not grokked."
    return Report(f"Fourier analysis of {task}", summary, result, fourier_figures(result), command)


def fourier_figures(result: FourierResult) -> tuple[Figure, ...]:
    """From the embedding to the formula, and through training where that was analysed."""
    study = result.study
    return (
        *logit_figures(study),
        *progress_figures(study),
        *embedding_figures(study),
        *attention_figures(study),
        *neuron_figures(study),
    )
