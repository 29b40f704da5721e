"""The report of patching."""

from mitool.analysis.patching import PatchResult
from mitool.report.figures import Figure
from mitool.report.page import Report, subject_title
from mitool.report.patching.connections import connection_figures
from mitool.report.patching.families import family_figures
from mitool.report.patching.pairs import pair_figures
from mitool.report.patching.summary import patching_title, summary_of
from mitool.report.patching.top import top_figures

__all__ = ["patching_figures", "patching_report"]


def patching_report(result: PatchResult, command: str | None = None) -> Report:
    """The report of patching.

    Args:
        command: what to type to have the same again.
    """
    title = f"{patching_title(result.plan)} in {subject_title(result.subject)}"
    return Report(title, summary_of(result), result, patching_figures(result), command)


def patching_figures(result: PatchResult) -> tuple[Figure, ...]:
    """From the residual stream to heads, then what matters most, then whether pairs agree."""
    return (
        *family_figures(result),
        *connection_figures(result),
        *top_figures(result),
        *pair_figures(result),
    )
