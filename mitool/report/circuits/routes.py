"""Ways of edges between nodes, through the gaps between the nodes on their way."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mitool.models.decoder import Letter
from mitool.report.circuits.layout import Layout
from mitool.report.circuits.lines import Line

BOX_WIDTH, BOX_HEIGHT = 0.68, 0.3
"""Of a node, where nodes stand 1 apart."""

ENTRIES: dict[Letter | None, float] = {"q": -0.24, "k": 0.0, "v": 0.24, None: 0.0}
"""Where an edge enters a node, from its middle, as a share of its width."""

MARGIN = 0.04
"""What a straight way keeps from nodes."""

LANES = (0.0, 0.08, -0.08, 0.04, -0.04)
"""Where in a gap the first way goes, from its middle, the second, and so on."""

APART: dict[Letter | None, float] = {"q": -0.015, "k": 0.0, "v": 0.015, None: 0.0}
"""Added to that, so that no two ways from one node to another are the same."""

BESIDE = (0.5, 0.75, 1.0)
"""Where ways go past the outermost nodes of a row."""

CROWDED, FULL = 0.3, 3
"""A way makes a detour of this square around one other, and no longer one around more than so many.
"""

ASIDE = 1e-3
"""Decides between two ways of one length."""

Way = Float[np.ndarray, "point 2"]


def routes(layout: Layout, lines: Sequence[Line]) -> list[Way]:
    """The points of each line: two of one that is straight, since no node stands in its way; of
    others two more at each row between, where it goes upwards through a gap.

    Args:
        lines: those that are to have the shortest ways first.
    """
    router = _Router(layout)
    return [router.route(line) for line in lines]


class _Router:
    """Finds ways one after another, around nodes and around earlier ways."""

    def __init__(self, layout: Layout) -> None:
        self.places = {node: np.array(place) for node, place in layout.places.items()}
        found: dict[int, list[float]] = {}
        for x, y in layout.places.values():
            found.setdefault(round(y), []).append(x)
        self.rows = {row: np.array(sorted(own)) for row, own in found.items()}
        self.used: Counter[tuple[int, float]] = Counter()

    def route(self, line: Line) -> Way:
        start, end = self._ends(line)
        between = range(round(start[1]) + 1, round(end[1]))
        heights = np.array(between)[:, None] + np.array([-BOX_HEIGHT, BOX_HEIGHT]) / 2
        straight = start[0] + (heights - start[1]) / (end[1] - start[1]) * (end[0] - start[0])
        if all(_is_clear(self.rows[row], at) for row, at in zip(between, straight, strict=True)):
            self.used.update(zip(between, straight.mean(axis=-1).round(3).tolist(), strict=True))
            return np.stack([start, end])
        gaps = self._shortest(between, start, end)
        passed = list(zip(between, gaps.tolist(), strict=True))
        lane = LANES[max(self.used[gap] for gap in passed) % len(LANES)] + APART[line.letter]
        self.used.update(passed)
        inner = np.stack([np.repeat(gaps + lane, 2), heights.flatten()], axis=1)
        return np.concatenate([start[None], inner, end[None]])

    def _ends(self, line: Line) -> tuple[np.ndarray, np.ndarray]:
        """Out of the top of a node, into the bottom of another."""
        up = np.array([0.0, BOX_HEIGHT / 2])
        into = np.array([ENTRIES[line.letter] * BOX_WIDTH, 0.0])
        return self.places[line.source] + up, self.places[line.target] + into - up

    def _shortest(
        self, between: range, start: np.ndarray, end: np.ndarray
    ) -> Float[np.ndarray, " row"]:
        """The gap in each row with which the squares of all steps aside are least."""
        places = self._gaps(between, start[0], end[0])
        steps = (places[:, None] - places) ** 2
        # of two ways that mirror each other, one to each side
        cost = (places - start[0]) ** 2 + ASIDE * (-1) ** round(start[1]) * places
        came: list[np.ndarray] = []
        for row in between:
            if row != between[0]:
                ways = cost[:, None] + steps
                came.append(ways.argmin(axis=0))
                cost = ways.min(axis=0)
            room = np.abs(places[:, None] - self.rows[row]).min(axis=1)
            crowd = [min(self.used[row, place], FULL) for place in places.tolist()]
            cost = np.where(room < 0.5 - ASIDE, np.inf, cost + CROWDED * np.array(crowd))
        chosen = [int((cost + (places - end[0]) ** 2).argmin())]
        for way in reversed(came):
            chosen.append(int(way[chosen[-1]]))
        return places[chosen[::-1]]

    def _gaps(self, between: range, start: float, end: float) -> Float[np.ndarray, " place"]:
        """Where a way may go through rows: between nodes, beside them, or straight up."""
        rows = [self.rows[row] for row in between]
        inner = [own + 0.5 for own in rows]
        outer = [[own[0] - aside, own[-1] + aside] for own in rows for aside in BESIDE]
        return np.unique(np.concatenate([*inner, *outer, [start, end]]).round(3))


def _is_clear(nodes: Float[np.ndarray, " node"], at: Float[np.ndarray, "2"]) -> bool:
    """Whether a way meets no node of a row that it enters and leaves there."""
    left, right = nodes - BOX_WIDTH / 2 - MARGIN, nodes + BOX_WIDTH / 2 + MARGIN
    return bool(((right < at.min()) | (left > at.max())).all())
