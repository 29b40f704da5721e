"""The phases of a training run, as its claims define them, marked on a figure over epochs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mitool.core.result import Result
from mitool.report.figures import BLACK, GREEN, ORANGE, TEMPLATE, Figure, label
from mitool.training.metrics import GROKKED_EPOCHS, GROKKED_LOSS

LABEL_HEIGHT = 0.065
"""Of the plot's height; each label has a line of its own above the plot."""


@dataclass(frozen=True)
class Phase:
    """What a run does from an epoch on.

    Attributes:
        name: a few words for the mark.
        meaning: what marks the epoch, for the caption.
        between: the epochs that it lies between for sure, where that is known.
    """

    name: str
    meaning: str
    epoch: int
    color: str
    between: tuple[int, int] | None = None

    @property
    def explained(self) -> str:
        """What a caption says of it."""
        sure = ""
        if self.between is not None:
            first, last = self.between
            sure = f"; for sure between {first:,} and {last:,}"
        return f"{self.name} from epoch {self.epoch:,} ({self.meaning}{sure})"


def phases_of(result: Result, *, was_delayed: bool = True) -> tuple[Phase, ...]:
    """The phases that the claims of a run define, in their order; none that is undefined.

    Args:
        was_delayed: the training set was fitted while test answers were wrong.

    The names say what was measured. They do not say "memorised": a run whose training examples
    are all right may have generalised by then.
    """
    known = (
        (
            "memorised_at",
            "training set fitted",
            "every training example is right for the first time",
            ORANGE,
        ),
        (
            "grokked_at",
            "grokked" if was_delayed else "generalised",
            f"test accuracy is 1 and test loss < {GROKKED_LOSS:zg} for {GROKKED_EPOCHS} epochs",
            GREEN,
        ),
    )
    phases = [
        Phase(name, meaning, epoch, color)
        for claim, name, meaning, color in known
        if isinstance(epoch := result.claims.get(claim), int)
    ]
    return tuple(sorted(phases, key=lambda phase: phase.epoch))


def with_phases(figure: Figure, phases: Sequence[Phase], last_epoch: int) -> Figure:
    """The figure with a line and a shade where each phase begins, explained in its caption."""
    if not phases:
        return figure
    ends = [phase.epoch for phase in phases[1:]] + [last_epoch]
    for line, (phase, end) in enumerate(zip(phases, ends, strict=True)):
        _mark(figure, phase, end, last_epoch, line)
    room = 22 * len(phases)
    figure.plot.update_layout(height=figure.height + room, margin_t=TEMPLATE.layout.margin.t + room)
    meanings = "; ".join(phase.explained for phase in phases)
    return replace(figure, caption=f"{figure.caption} Shaded: {meanings}.")


def _mark(figure: Figure, phase: Phase, end: int, last_epoch: int, line: int) -> None:
    plot, in_left_half = figure.plot, phase.epoch * 2 <= last_epoch
    if end > phase.epoch:
        plot.add_vrect(
            x0=phase.epoch, x1=end, fillcolor=phase.color, opacity=0.1, line_width=0, layer="below"
        )
    height = 1 + LABEL_HEIGHT * (line + 1)
    plot.add_shape(
        type="line",
        x0=phase.epoch,
        x1=phase.epoch,
        y0=0,
        y1=height,
        yref="paper",
        line={"color": phase.color, "width": 1.5},
    )
    plot.add_annotation(
        x=phase.epoch,
        y=height,
        yref="paper",
        yanchor="top",
        # a label grows towards the middle, so that it does not leave a narrow picture
        xanchor="left" if in_left_half else "right",
        xshift=3 if in_left_half else -3,
        text=label(f"{phase.name} from epoch {phase.epoch:,}"),
        showarrow=False,
        font={"size": 13, "color": BLACK},
        bgcolor="white",
    )
