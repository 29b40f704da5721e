"""How much of a search is done."""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]
"""Told of what is done, how much of it, and of how much."""


@dataclass
class Steps:
    """Counts steps of one kind, and tells of them.

    Attributes:
        total: how many there will be.
    """

    progress: Progress
    label: str
    total: int
    count: int = 0

    def __call__(self, n: int) -> None:
        """So many more are done."""
        self.count = min(self.count + n, self.total)
        self.progress(self.label, self.count, self.total)
