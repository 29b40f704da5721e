"""An axis of a grid as the axis of a plot: where its values stand, its scale and its ticks."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mitool.report.figures import label, log_ticks
from mitool.report.panels import WIDTH

MOST_TICKS = 7
"""Values of an axis that all have a tick."""

LOG_SPAN = 20.0
"""Ratio of the largest value to the smallest from which on an axis is on a log scale."""

BESIDE = 0.07
"""Of an axis, from its values to its ends."""

LETTER, BETWEEN = 7.0, 8.0
"""Pixels of a letter of a tick's label, and between two labels."""

PANEL_SHARE = 0.88
"""Of the width that a panel has, that is its plot."""


@dataclass(frozen=True)
class Axis:
    """An axis of the grid.

    Attributes:
        values: of each point; None where it has none.
    """

    name: str
    values: Sequence[float | bool | str | None]

    @property
    def distinct(self) -> list[float | bool | str]:
        """In rising order where they are numbers, else in the grid's."""
        found = list(dict.fromkeys(value for value in self.values if value is not None))
        return list(self.numbers) or found

    @property
    def numbers(self) -> list[float]:
        """The different values in rising order where all are numbers, else none."""
        known = [value for value in self.values if value is not None]
        numbers = {v for v in known if isinstance(v, int | float) and not isinstance(v, bool)}
        return sorted(numbers) if len(numbers) == len(set(known)) else []

    @property
    def is_log(self) -> bool:
        return spans(self.numbers, LOG_SPAN)

    def scale(self, plot: go.Figure, at: Mapping[str, int], n_columns: int) -> None:
        """Set the axis of a panel at a row and column, of which so many stand side by side."""
        plot.update_xaxes(tickfont_size=11, **at)
        if not self.numbers:
            plot.update_xaxes(type="category", categoryorder="array", **at)
            plot.update_xaxes(categoryarray=[place(value) for value in self.distinct], **at)
            return
        plot.update_xaxes(range=self._range(), **at)
        if self.is_log:
            plot.update_xaxes(type="log", **log_ticks(self.numbers), **at)
        if ticks := self._ticks(n_columns):
            plot.update_xaxes(tickvals=ticks, ticktext=[shown(value) for value in ticks], **at)

    def _range(self) -> list[float]:
        """The same in all panels, though a claim be undefined at some values."""
        ends = [self.numbers[0], self.numbers[-1]]
        low, high = map(math.log10, ends) if self.is_log else ends
        beside = BESIDE * (high - low)
        return [low - beside, high + beside]

    def _ticks(self, n_columns: int) -> list[float]:
        """The values, where there is room for the labels of all of them."""
        values = self.numbers
        if not 2 <= len(values) <= MOST_TICKS:
            return []
        along = [math.log(value) if self.is_log else value for value in values]
        width = WIDTH / n_columns * PANEL_SHARE * (1 - 2 * BESIDE)
        label_width = max(len(shown(value)) for value in values) * LETTER + BETWEEN
        least = (along[-1] - along[0]) * label_width / width
        return values if all(b - a >= least for a, b in itertools.pairwise(along)) else []


def spans(values: Sequence[float], ratio: float) -> bool:
    """Whether the values are all above 0, and the largest so many times the smallest."""
    return bool(values) and min(values) > 0 and max(values) / min(values) >= ratio


def place(value: object) -> object:
    """Where a value stands on an axis: a boolean or a text by its name."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else label(shown(value))


def shown(value: object) -> str:
    """A value in a few letters."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:zg}"
    return str(value)
