"""What a report is written as."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mitool.core.errors import UsageError
from mitool.report.browser import require_browser
from mitool.report.page import Report
from mitool.report.write import FORMATS, Written, write_report


@dataclass(frozen=True)
class Formats:
    """What a report is written as.

    Attributes:
        explicit: the formats were asked for by name.
    """

    names: frozenset[str]
    explicit: bool

    @classmethod
    def parse(cls, asked: str | Sequence[str] | None) -> "Formats":
        """Read what is asked for, such as ``html,png``, before there is work done for the report.

        Raises:
            UsageError: one of the formats is unknown.
            BrowserError: images are asked for, and nothing is there to draw them.
        """
        if asked is None:
            return cls(frozenset(FORMATS), False)
        names = frozenset(map(str.strip, asked.split(",") if isinstance(asked, str) else asked))
        if unknown := sorted(names - set(FORMATS)):
            expected = ", ".join(FORMATS)
            raise UsageError(f"--format: expected some of {expected}, found {unknown[0]!r}")
        if "png" in names:
            require_browser()
        return cls(names, True)

    def write(self, folder: Path, report: Report) -> Written:
        """Write the report in these formats."""
        return write_report(folder, report, self.names, explicit=self.explicit)
