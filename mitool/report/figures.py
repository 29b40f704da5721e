"""What a figure is, and the look that all figures share.

plotly reads a little HTML (``<b>``, ``<br>``, ``<a href>``) in every text that it draws, so that
a text that comes from outside (a task's name, a weight's, a path) goes through ``label`` first.
"""

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import plotly.graph_objects as go

Point = TypeVar("Point")

WIDTH = 900
HEIGHT = 480
"""Pixels of a figure where its own layout does not say otherwise."""

# Okabe and Ito's palette, which readers with any colour vision tell apart; its yellow is left
# out, being hard to see on white, and its black is kept for what a figure sets apart.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, GREY, BLACK = "#E69F00", "#56B4E9", "#6B7280", "#111827"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY)
DASHES = ("solid", "dash", "dot", "dashdot")
MAX_LEGEND = 20
"""More lines than this are named when pointed at, and not in a legend."""

TITLE_BELOW = 14
"""Pixels from the upper edge of an image to its title."""

LEGEND_LINE = 21
"""Pixels."""

MAX_LABEL, MAX_TITLE = 60, 90
"""Letters that leave room for the plot."""

MAX_POINTS = 2000
"""Of a longer history only every other evaluation is drawn, or every third, and so on."""

MOST_DECADES, MOST_TICKS = 3.5, 9
"""Of a log axis: up to so many powers of ten there is room for ticks between them; and how many
powers of ten are ticks."""

FEW_POINTS = 30
"""Up to so many points of a line are marked: one between two gaps would not be seen."""

_INK, _GRID = "#1F2937", "#E5E7EB"
_AXIS = {
    "showline": True,
    "linecolor": "#9CA3AF",
    "ticks": "outside",
    "tickcolor": "#9CA3AF",
    "ticklen": 5,
    "gridcolor": _GRID,
    "zeroline": False,
    "automargin": True,
    "exponentformat": "power",
    "tickfont": {"size": 13},
    "title": {"font": {"size": 15}, "standoff": 12},
}
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "Helvetica, Arial, sans-serif", "size": 14, "color": _INK},
        "title": {"font": {"size": 18}, "x": 0, "xref": "paper", "y": 0.97, "yanchor": "top"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "colorway": PALETTE,
        "margin": {"l": 70, "r": 24, "t": 52, "b": 60},
        "legend": {"font": {"size": 13}, "tracegroupgap": 4},
        "hoverlabel": {"font": {"size": 13}, "namelength": -1},
        "xaxis": _AXIS | {"exponentformat": "none", "separatethousands": True},
        "yaxis": _AXIS,
    }
)


@dataclass(frozen=True)
class Figure:
    """A picture of a result.

    Attributes:
        name: names its file (``NAME.png``) and its place on a page.
        title: plain text; the plot itself has no title, the page or the image adds it.
        caption: plain text: what is shown and how to read it.
        plot: the picture; what it draws of outside text is escaped with ``label``.
        scalable: as an image it is drawn as SVG too (``NAME.svg``).
        of: which of several like things it is about; a page shows those of one at a time.
        has_image: it is drawn as an image at all; of many like things, a few are enough.
    """

    name: str
    title: str
    caption: str
    plot: go.Figure
    scalable: bool = False
    of: str = ""
    has_image: bool = True

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", self.name):
            raise ValueError(f"name: expected letters, digits, - and _, found {self.name!r}")

    @property
    def height(self) -> int:
        """The height in pixels that the plot was made for."""
        return int(self.plot.layout.height or HEIGHT)


def titled(figure: Figure) -> go.Figure:
    """The plot with its title, for where there is no page to say it."""
    plot = go.Figure(figure.plot)
    title = label(figure.title, MAX_TITLE)
    plot.update_layout(title_text=title, title_y=1 - TITLE_BELOW / figure.height)
    return plot


def label(text: object, limit: int = MAX_LABEL) -> str:
    """Outside text in a form that plotly draws letter by letter, cut to ``limit`` letters."""
    # a file name that is no UTF-8 has surrogates, which no browser takes
    whole = str(text).encode("utf-8", "replace").decode()
    short = whole if len(whole) <= limit else f"{whole[: limit - 1]}…"
    return html.escape(short, quote=False)


def new_plot(x_title: str, y_title: str, *, log_y: bool = False) -> go.Figure:
    """An empty plot with named axes.

    Args:
        x_title: what the axis shows and, where it has one, the unit.
        y_title: the same for the upright axis.
    """
    plot = go.Figure(layout={"template": TEMPLATE, "height": HEIGHT, "hovermode": "closest"})
    plot.update_xaxes(title_text=label(x_title))
    plot.update_yaxes(title_text=label(y_title), type="log" if log_y else "linear")
    if log_y:
        # plotly draws the labels of a log axis a quarter larger
        plot.update_yaxes(tickfont_size=11)
    return plot


def add_line(
    plot: go.Figure, name: str, x: Sequence[float], y: Sequence[float | None], **style: Any
) -> None:
    """Draw a line through the points; one whose ``y`` is None or not finite is a gap.

    On a log axis a value that has no logarithm is a gap too.

    Args:
        style: of the line, in plotly's words (``color``, ``dash``, ``width``).
    """
    least = 0.0 if plot.layout.yaxis.type == "log" else -math.inf
    plot.add_scatter(
        x=list(x),
        y=[drawable(value, least) for value in y],
        name=label(name),
        mode="lines+markers" if len(x) <= FEW_POINTS else "lines",
        line={"width": 2, **style},
        hovertemplate=f"{plot.layout.xaxis.title.text} %{{x:,}}: %{{y:.4g}}",
    )


def add_lines(
    plot: go.Figure, lines: Mapping[str, Sequence[float | None]], x: Sequence[float]
) -> None:
    """Draw a line for each name, told apart by colour and then by dashes."""
    for index, (name, y) in enumerate(lines.items()):
        add_line(plot, name, x, y, **line_style(index))


def line_style(index: int) -> dict[str, str]:
    """The colour and the dashes of one of many lines."""
    dash = DASHES[index // len(PALETTE) % len(DASHES)]
    return {"color": PALETTE[index % len(PALETTE)], "dash": dash}


def fit_legend(plot: go.Figure) -> None:
    """Make the plot high enough for its legend, or leave out a legend of too many lines."""
    n_lines, margin = len(plot.data), TEMPLATE.layout.margin
    height = max(HEIGHT, margin.t + margin.b + LEGEND_LINE * (n_lines + 1))
    fits = n_lines <= MAX_LEGEND
    plot.update_layout(showlegend=fits, height=height if fits else HEIGHT)


def drawable(value: float | None, least: float = -math.inf) -> float | None:
    """The value, to the digits that can be seen, or None where it is not finite or <= least."""
    if value is None or not math.isfinite(value) or value <= least:
        return None
    return float(f"{value:z.6g}")


def log_ticks(values: Sequence[float]) -> dict[str, list[Any]]:
    """Ticks of a log axis over the values, in plotly's words: 1, 2, 5, 10 and so on, or powers of
    ten where these are many.
    """
    known = [math.log10(value) for value in values if value > 0]
    low, high = min(known, default=0.0), max(known, default=0.0)
    span = max(high - low, 0.3)
    steps = (1, 2, 5) if span < MOST_DECADES else (1,)
    every = math.ceil(span / MOST_TICKS)
    ticks = [
        (step * 10.0**power, _power(step, power))
        for power in range(math.floor(low) // every * every, math.ceil(high) + 1, every)
        for step in steps
    ]
    # one that is a little off the values still has room beside them
    near = [(at, text) for at, text in ticks if low - 0.15 <= math.log10(at) <= high + 0.15]
    if len(near) < 2:
        near = [(10**end, f"{10**end:z.3g}") for end in sorted({low, high})]
    return {"tickvals": [at for at, _ in near], "ticktext": [text for _, text in near]}


def _power(step: int, power: int) -> str:
    """The number, of which only a power of ten is ever written as one."""
    if step == 1 and abs(power) > 4:
        return f"10<sup>{power}</sup>"
    return f"{step * 10.0**power:z.12g}"


def spread(n: int, most: int) -> list[int]:
    """Which of ``n`` things in their order are drawn: of more than ``most``, some that are spread
    evenly from the first to the last.
    """
    if n <= most:
        return [*range(n)]
    return [round(i * (n - 1) / max(most - 1, 1)) for i in range(most)]


def thinned(history: Sequence[Point]) -> Sequence[Point]:
    """What is drawn of a history, always with its last point."""
    step = math.ceil(len(history) / MAX_POINTS)
    return (*history[:-1:step], history[-1])
