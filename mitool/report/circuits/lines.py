"""What a drawing of a circuit has: its edges and nodes, with what a reader finds by pointing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mitool.analysis.circuits import CircuitResult
from mitool.analysis.circuits.evaluation import Chosen
from mitool.analysis.interventions.graph import Edge, Node
from mitool.models.decoder import Letter
from mitool.report.circuits.layout import nodes_of
from mitool.report.figures import label

MOST_PLACES = 8
"""Positions of an edge that are listed: those with the largest scores."""


@dataclass(frozen=True)
class Line:
    """An edge; or all edges from a node to another, where nodes or neurons were chosen.

    Attributes:
        score: None where edges have none.
        hover: plotly's HTML.
    """

    source: Node
    target: Node
    letter: Letter | None
    score: float | None
    hover: str


@dataclass(frozen=True)
class Box:
    """A node.

    Attributes:
        score: its own, or the sum of its neurons'; None where edges were chosen.
        hover: plotly's HTML.
    """

    node: Node
    score: float | None
    hover: str


def lines_of(result: CircuitResult) -> list[Line]:
    """In the order of the graph."""
    found = result.found
    if found.units.level == "edge":
        units = _Scored(found)
        return [_line(units, edge, places) for edge, places in _members(found)]
    letters: dict[tuple[Node, Node], list[str]] = {}
    for edge in found.circuit.listed:
        letters.setdefault((edge.source, edge.target), []).extend(edge.letters)
    return [
        Line(source, target, None, None, _between(source, target, read_by))
        for (source, target), read_by in letters.items()
    ]


def boxes_of(result: CircuitResult, lines: Sequence[Line]) -> list[Box]:
    """In the order in which they are computed.

    Args:
        lines: all of them.
    """
    found, nodes = result.found, nodes_of(result.found.circuit)
    if found.units.level == "edge":
        return [Box(node, None, _hover_of_edges(node, lines)) for node in nodes]
    own = _own_scores(found)
    return [Box(node, *own.get(node, (None, label(str(node))))) for node in nodes]


class _Scored:
    """The scores of units, and how large they are among all."""

    def __init__(self, found: Chosen) -> None:
        self.columns = found.units.columns
        self.scores: list[float] = [] if found.scores is None else found.scores.tolist()
        by_size = sorted(range(len(self.scores)), key=lambda unit: -abs(self.scores[unit]))
        self.ranks = {unit: rank for rank, unit in enumerate(by_size, 1)}

    def text(self, unit: int) -> str:
        return (
            f"{self.scores[unit]:z.4g} (no. {self.ranks[unit]:,} of {len(self.scores):,} by size)"
        )


def _members(found: Chosen) -> list[tuple[Edge, list[int]]]:
    """The edges of a circuit, each with its units that are in."""
    n, edges = max(1, len(found.units.columns)), found.units.table.edges
    members: dict[int, list[int]] = {}
    for unit in found.chosen.nonzero()[:, 0].tolist():
        members.setdefault(unit // n, []).append(unit)
    return [(edges[number], units) for number, units in members.items()]


def _line(units: _Scored, edge: Edge, members: Sequence[int]) -> Line:
    text, score = [label(str(edge))], None
    if units.scores:
        score = sum(units.scores[unit] for unit in members)
    if units.columns:
        text += _by_position(units, members, score)
    elif units.scores:
        text.append(f"score {units.text(members[0])}")
    return Line(edge.source, edge.target, edge.letter, score, "<br>".join(text))


def _by_position(units: _Scored, members: Sequence[int], score: float | None) -> list[str]:
    """The sum over positions that are in the circuit, then each, the largest first."""
    n = len(members)
    at = f"{n} position{'s' * (n > 1)} of {len(units.columns)}"
    text = [at if score is None else f"score {score:z.4g}, the sum over {at}"]
    places = sorted(members, key=lambda unit: -abs(units.scores[unit]) if units.scores else 0)
    for unit in places[:MOST_PLACES]:
        name = label(units.columns[unit % len(units.columns)].label)
        text.append(f"{name}: {units.text(unit)}" if units.scores else name)
    return text + ([f"and {n - MOST_PLACES} more"] if n > MOST_PLACES else [])


def _between(source: Node, target: Node, read_by: Sequence[str]) -> str:
    letters = f"<{','.join(read_by)}>" if read_by else ""
    return label(f"{source}->{target}{letters}")


def _hover_of_edges(node: Node, lines: Sequence[Line]) -> str:
    text = [label(str(node))]
    for way, found in (
        ("in", [line for line in lines if line.target == node]),
        ("out", [line for line in lines if line.source == node]),
    ):
        scores = [line.score for line in found if line.score is not None]
        summed = f", sum of scores {sum(scores):z.4g}" if scores else ""
        if found:
            text.append(f"{len(found)} edge{'s' * (len(found) > 1)} {way}{summed}")
    return "<br>".join(text)


def _own_scores(found: Chosen) -> Mapping[Node, tuple[float | None, str]]:
    """Of each writer the score, and what is said of it."""
    units, scored, size = found.units, _Scored(found), found.units.d_model
    own: dict[Node, tuple[float | None, str]] = {}
    for row, node in enumerate(units.table.writers):
        if units.level == "node":
            members, what = [row], []
        else:
            chosen = found.chosen[row * size : (row + 1) * size].nonzero()[:, 0].tolist()
            members = [row * size + index for index in chosen]
            what = [f"{len(members)} of {size} neurons"]
        score = sum(scored.scores[unit] for unit in members) if scored.scores else None
        if score is not None:
            what.append(
                f"score {scored.text(row)}"
                if units.level == "node"
                else f"score {score:z.4g}, their sum"
            )
        own[node] = (score, "<br>".join([label(str(node)), *what]))
    return own
