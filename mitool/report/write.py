"""A report into its folder: the page and the images."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from mitool.core.errors import UsageError
from mitool.report.browser import BrowserError
from mitool.report.images import write_images
from mitool.report.page import Report, render_page
from mitool.storage import atomic, layout

FORMATS = ("html", "png")


@dataclass(frozen=True)
class Written:
    """What a report came to.

    Attributes:
        artifacts: the files that were written.
        warnings: what was left out, and why.
    """

    artifacts: tuple[Path, ...]
    warnings: tuple[str, ...]


def write_report(
    folder: Path, report: Report, formats: Collection[str] = FORMATS, *, explicit: bool = False
) -> Written:
    """Write ``report.html`` and ``figures/NAME.png``, or those of them that ``formats`` names. With
    png comes ``figures/NAME.svg`` of what is scalable.

    Args:
        explicit: the formats were asked for. Where they are the default, a browser that is
            missing or fails costs the images and gives a warning.

    Raises:
        UsageError: there is no such format.
        BrowserError: png was asked for, and the browser is missing or fails.
        RunError: the folder cannot be written.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UsageError(f"format: expected {' or '.join(FORMATS)}, found {', '.join(unknown)}")
    artifacts: list[Path] = []
    if "html" in formats:
        atomic.atomic_write(folder / layout.REPORT, render_page(report))
        artifacts.append(folder / layout.REPORT)
    warnings: list[str] = []
    if "png" in formats:
        try:
            artifacts += write_images(report.figures, folder / layout.FIGURES)
        except BrowserError as failure:
            if explicit:
                raise
            warnings.append(f"no PNG images: {failure}")
    return Written(tuple(artifacts), tuple(warnings))
