"""The report of a Fourier analysis."""

from mitool.analysis.fourier import FourierResult
from mitool.core.numerals import share
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
    summary = result.conclusion or _without_frequencies(result)
    return Report(f"Fourier analysis of {task}", summary, result, fourier_figures(result), command)


def _without_frequencies(result: FourierResult) -> str:
    accuracy, least = result.claims["accuracy_all"], result.config["threshold"]
    assert isinstance(accuracy, float)
    return (
        f"No frequency explains {least:z.1%} of the logits' variance, so that there is no formula; "
        f"the model is right on {share(accuracy, 1)} of all pairs."
    )


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
