"""The report of an analysis of attention."""

from mitool.analysis.attention import AttentionResult
from mitool.report.attention.answer_row import answer_row_figures
from mitool.report.attention.circuits import circuit_figures
from mitool.report.attention.composition import composition_figures
from mitool.report.attention.mean import mean_figures
from mitool.report.attention.measures import measure_figures
from mitool.report.attention.operands import operand_figures
from mitool.report.attention.patterns import pattern_figures
from mitool.report.figures import Figure
from mitool.report.page import Report, subject_title

__all__ = ["attention_figures", "attention_report"]


def attention_report(result: AttentionResult, command: str | None = None) -> Report:
    """The report of an analysis of attention.

    Args:
        command: what to type to have the same again.
    """
    title = f"Attention in {subject_title(result.subject)}"
    n_heads = len(result.head_names)
    summary = result.conclusion or f"{n_heads} heads; the verdict on each is below."
    return Report(title, summary, result, attention_figures(result), command)


def attention_figures(result: AttentionResult) -> tuple[Figure, ...]:
    """From where the heads look to what they write, then their measures side by side."""
    study = result.study
    return (
        *mean_figures(study),
        *operand_figures(study),
        *measure_figures(study),
        *pattern_figures(study),
        *circuit_figures(study),
        *answer_row_figures(study),
        *composition_figures(study),
    )
