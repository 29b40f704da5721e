"""Which models of a sweep are drawn, how they are called, and what colours they have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mitool.analysis.monosemanticity import MonosemanticityResult, StudiedModel
from mitool.report.figures import BLUE, DASHES, MAX_LEGEND, PALETTE, Figure, spread
from mitool.report.shades import ranked_shades
from mitool.report.tables import readable
from mitool.settings.monosemanticity import Value

MOST_SHOWN, MOST_IMAGES = 100, 3
"""Models that have figures of their own, and those whose figures are drawn as images."""


@dataclass(frozen=True)
class Shown:
    """A model whose own figures are drawn.

    Attributes:
        number: its place in the sweep.
        name: what is swept of it; of a lone model, nothing.
        has_images: its figures are drawn as images too.
        note: what captions say of images that there are not.
    """

    number: int
    name: str
    studied: StudiedModel
    has_images: bool
    note: str

    def figure(self, kind: str, title: str, caption: str, plot: go.Figure) -> Figure:
        """A figure of a kind that every model has one of."""
        return Figure(
            f"{kind}_model-{self.number}" if self.name else kind,
            f"{title}: {self.name}" if self.name else title,
            f"{caption}{self.note}",
            plot,
            of=self.name,
            has_image=self.has_images,
        )


def shown_of(result: MonosemanticityResult) -> list[Shown]:
    """The models that have not diverged; of very many, some."""
    found = _found(result)
    places = spread(len(found), MOST_SHOWN)
    drawn = [places[index] for index in spread(len(places), MOST_IMAGES)]
    images = f" Images are written of {len(drawn)} of {len(found)} models, spread evenly."
    note = images + left_out(result) if len(found) > len(drawn) else ""
    return [Shown(*found[place], place in drawn, note) for place in places]


def left_out(result: MonosemanticityResult) -> str:
    """What a caption says of models that are not shown."""
    n = len(_found(result))
    return f" {MOST_SHOWN} of {n:,} models are shown, spread evenly." if n > MOST_SHOWN else ""


def _found(result: MonosemanticityResult) -> list[tuple[int, str, StudiedModel]]:
    return [
        (number, name, studied)
        for number, (name, studied) in enumerate(result.models.items())
        if studied.loss is not None
    ]


def where_negative(models: Iterable[StudiedModel]) -> str:
    """What a caption says of shares where activations can be negative."""
    if not any(bool((studied.activations < 0).any()) for studied in models):
        return ""
    return (
        " Some activations are negative, which makes a sum less than what is in it: a share may "
        "then lie beyond 0 and 1, and says little of how many features a neuron answers to."
    )


def values_of(result: MonosemanticityResult, axis: str) -> list[Value]:
    """The values of what is swept, numbers from the smallest on."""
    values = [*dict.fromkeys(studied.point[axis] for studied in result.models.values())]
    return sorted(values, key=lambda value: value if is_number(value) else 0)


def main_axis(result: MonosemanticityResult) -> str | None:
    """What figures are drawn over and coloured by: of what is swept, that of most values, and
    rather numbers than words.
    """

    def rank(axis: str) -> tuple[bool, int]:
        values = values_of(result, axis)
        return all(map(is_number, values)), len(values)

    return max(result.swept, key=rank, default=None)


def colors_of(values: Sequence[Value]) -> dict[Value, str]:
    """A colour for each value: of numbers, which ascend, the darker the larger."""
    if len(values) == 1:
        return {values[0]: BLUE}
    if all(map(is_number, values)):
        return dict(zip(values, reversed(ranked_shades(len(values))), strict=True))
    return {value: PALETTE[index % len(PALETTE)] for index, value in enumerate(values)}


def coloured_by(axis: str | None, values: Sequence[Value]) -> str:
    """What a caption says of colours."""
    if axis is None or len(values) < 2:
        return ""
    darker = ", the darker the larger" if all(map(is_number, values)) else ""
    named = (
        "point at a line to see its value"
        if len(values) > MAX_LEGEND
        else "on the page a click on a value hides its lines, and two clicks show them alone"
    )
    return f" Colours stand for {axis}{darker}; {named}."


def is_number(value: Value) -> bool:
    return not isinstance(value, str)


def value_name(value: Value) -> str:
    """A value of what is swept, as it is read."""
    return value if isinstance(value, str) else readable(value)


@dataclass(frozen=True)
class Look:
    """How a model's line is told from others.

    Attributes:
        group: names it in the legend, with others of its colour where there are too many models.
    """

    group: str
    color: str
    dash: str


def legend_of(result: MonosemanticityResult) -> str:
    """What a legend is of; nothing where its entries say so themselves."""
    return "" if _have_own_entries(result) else main_axis(result) or ""


def _have_own_entries(result: MonosemanticityResult) -> bool:
    return len(result.swept) > 1 and len(result.models) <= MAX_LEGEND


def looks_of(result: MonosemanticityResult) -> dict[str, Look]:
    """Of each model: the colour is of the main axis, the dashes of what else is swept."""
    axis = main_axis(result)
    colors = colors_of(values_of(result, axis) if axis else [""])
    others = {
        name: tuple(value for key, value in studied.point.items() if key != axis)
        for name, studied in result.models.items()
    }
    distinct = dict.fromkeys(others.values())
    dashes = {other: DASHES[index % len(DASHES)] for index, other in enumerate(distinct)}
    looks = {}
    for name, studied in result.models.items():
        value = studied.point[axis] if axis else ""
        group = name if _have_own_entries(result) else value_name(value)
        looks[name] = Look(group, colors[value], dashes[others[name]])
    return looks
