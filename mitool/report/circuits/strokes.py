"""How edges and nodes are painted: colour by sign, width and strength by size, dashes by letter."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mitool.analysis.circuits import CircuitResult
from mitool.report.circuits.lines import Line
from mitool.report.circuits.routes import Way
from mitool.report.columns import spans_of
from mitool.report.figures import BLUE, GREY, VERMILLION

SHARES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.0)
WIDTHS = (6.0, 4.0, 2.6, 1.7, 1.1, 0.7)
STRENGTHS = (0.95, 0.85, 0.7, 0.55, 0.4, 0.28)
"""Of an edge whose score is at least that share of the largest."""

DASHES = {"q": "6px,3px", "k": "2px,2px", "v": "solid", None: "solid"}
NAMES = {
    "q": "into queries, at the left",
    "k": "into keys, in the middle",
    "v": "into values, at the right",
}

PLAIN_WIDTH, PLAIN_STRENGTH = 1.2, 0.6
"""Where edges have no scores."""

FAINTEST = 0.12
"""Strength of the colour of a node with a score near 0."""


@dataclass(frozen=True)
class Stroke:
    """What lines that are drawn as one have in common."""

    color: str
    strength: float
    width: float
    dash: str


def stroke_of(line: Line, largest: float) -> Stroke:
    """How a line is drawn.

    Args:
        largest: the size of the largest score that is drawn.
    """
    dash = DASHES[line.letter]
    if line.score is None:
        return Stroke(GREY, PLAIN_STRENGTH, PLAIN_WIDTH, dash)
    share = abs(line.score) / largest if largest else 0.0
    level = next(index for index, least in enumerate(SHARES) if share >= least)
    return Stroke(_sign(line.score), STRENGTHS[level], WIDTHS[level], dash)


def fill_of(score: float | None, largest: float) -> str:
    """The colour of a node, on white."""
    if score is None or not largest:
        return "white"
    strength = FAINTEST + (0.75 - FAINTEST) * abs(score) / largest
    mixed = (round(255 - strength * (255 - part)) for part in _parts(_sign(score)))
    return f"rgb({','.join(map(str, mixed))})"


def add_strokes(plot: go.Figure, ways: Sequence[Way], strokes: Sequence[Stroke]) -> None:
    """The lines, the thinnest first, all of one stroke as one."""
    groups: dict[Stroke, list[Way]] = {}
    for way, stroke in zip(ways, strokes, strict=True):
        groups.setdefault(stroke, []).append(way)
    for stroke, own in sorted(groups.items(), key=lambda group: group[0].width):
        plot.add_scatter(
            x=_joined(own, 0),
            y=_joined(own, 1),
            mode="lines",
            line={"color": _faded(stroke), "width": stroke.width, "dash": stroke.dash}
            | {"shape": "spline"},
            hoverinfo="skip",
            showlegend=False,
        )


def add_key(plot: go.Figure, lines: Sequence[Line]) -> None:
    """A legend of the colours, widths and dashes that occur."""
    scores = [line.score for line in lines if line.score is not None]
    if any(score > 0 for score in scores):
        _add_sample(plot, "score above 0", Stroke(VERMILLION, 0.95, 4, "solid"))
    if any(score < 0 for score in scores):
        _add_sample(plot, "score below 0", Stroke(BLUE, 0.95, 4, "solid"))
    letters = {line.letter for line in lines}
    for letter, name in NAMES.items():
        if letter in letters:
            _add_sample(plot, name, Stroke("#111827", 0.9, 1.7, DASHES[letter]))


def _add_sample(plot: go.Figure, name: str, stroke: Stroke) -> None:
    style = {"color": _faded(stroke), "width": stroke.width, "dash": stroke.dash}
    plot.add_scatter(x=[None], y=[None], mode="lines", name=name, line=style)


def strokes_caption(result: CircuitResult, lines: Sequence[Line]) -> str:
    """How to read the colours and widths."""
    units = result.found.units
    if units.level != "edge":
        text = "All edges between its nodes are in it, drawn once for each two nodes."
        if result.found.scores is None:
            return text
        whose = "its score" if units.level == "node" else "the sum of its neurons' scores"
        return (
            f"{text} A node is the stronger in colour the larger {whose} is: red above 0, blue "
            "below."
        )
    if all(line.score is None for line in lines):
        return "It was given without scores, so that all edges are drawn alike."
    shares = ", ".join(f"{share:z.0%}" for share in SHARES[:-1])
    text = (
        "Width and strength of an edge stand for the size of its score, in steps: at least "
        f"{shares} of the largest, or less."
    )
    if units.columns:
        text += (
            " An edge is drawn once, by the sum over the positions at which it is in."
            f"{spans_of(units.columns)}"
        )
    return text


def _joined(ways: Sequence[Way], axis: int) -> list[float | None]:
    """Coordinates of one way after another, a gap behind each."""
    return [v for way in ways for v in (*(round(float(x), 3) for x in way[:, axis]), None)]


def _sign(score: float) -> str:
    return VERMILLION if score > 0 else BLUE


def _faded(stroke: Stroke) -> str:
    return f"rgba({','.join(map(str, _parts(stroke.color)))},{stroke.strength})"


def _parts(color: str) -> list[int]:
    """Red, green and blue of ``#RRGGBB``."""
    return [int(color[start : start + 2], 16) for start in (1, 3, 5)]
