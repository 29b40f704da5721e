"""The phases of grokking, found in the progress measures of a training's checkpoints.

They are those of Nanda et al. 2023 (arXiv 2301.05217, section 5). An end is a turn of a curve, and
a training may have turns that mean nothing: in a spike all losses rise at once and come back. So
a turn counts only if the curve goes on in its new direction, and comes with the epochs that it
lies between.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from mitool.analysis.fourier.progress import Measures
from mitool.core.numerals import share

REST = 0.05
"""Of the fall in squared weights since the circuit formed, what may be left of a clean-up."""

SETTLED = 0.8
"""A clean-up that takes more of the time left than this may not have ended."""

NEAR_VALLEY, NEAR_PEAK = 0.05, 0.01
"""Checkpoints whose excluded loss is less far from its extreme than this share of its rise may be
where it turns: from the lowest one on a log scale, from the highest one in nats."""

FALLS, RISES = 0.25, 0.1
"""Shares of the rise of the excluded loss: how far it may fall back on its way (on a log scale),
and how far it may rise again after its highest point (in nats)."""

HOLDS = 2
"""Checkpoints at the end that have to be beyond the highest excluded loss."""

GENERALISES = 0.99
"""Accuracy on all pairs at the last checkpoint, without which no circuit has formed, nor anything
been cleaned up."""

TINY = 1e-30
"""In the place of a loss of 0, which has no logarithm."""

Interval = tuple[int, int]
"""The epochs of two checkpoints."""


@dataclass(frozen=True)
class Phases:
    """Where the phases of grokking end, in epochs of the checkpoints; None where unseen.

    Memorisation ends where the excluded loss on the train pairs is lowest: from there on the
    model relies more and more on the key frequencies. Circuit formation ends where it is
    highest. Clean-up ends where at most 5 % remain of the fall in the sum of squared weights
    since then, and for good.

    Attributes:
        between: by the name of an end, the checkpoints between which it lies for sure.
        why_not: why some are not to be seen; empty where all are.
    """

    memorisation_end: int | None = None
    circuit_formation_end: int | None = None
    cleanup_end: int | None = None
    between: Mapping[str, Interval] = field(default_factory=dict)
    why_not: str = ""

    @property
    def ends(self) -> dict[str, int | None]:
        """The ends by the names of their claims, in their order."""
        return {
            "memorisation_end": self.memorisation_end,
            "circuit_formation_end": self.circuit_formation_end,
            "cleanup_end": self.cleanup_end,
        }


def find_phases(measures: Sequence[Measures]) -> Phases:
    """The phases of a run whose checkpoints are measured in the order of their epochs."""
    epochs, curve = [m.epoch for m in measures], Excluded.of(measures)
    why_not, ends = [], dict[str, int]()
    between: dict[str, Interval] = {}

    def ends_at(name: str, index: int, around: Interval) -> None:
        ends[name] = epochs[index]
        between[name] = epochs[around[0]], epochs[around[1]]

    if curve.valley == 0:
        why_not.append("the excluded loss is lowest at the first checkpoint")
    doubt = curve.doubt_of_rise()
    if not doubt and 0 < curve.valley < curve.last:
        ends_at("memorisation_end", curve.valley, curve.around_valley())
    if doubt := doubt or curve.doubt_of_peak() or _doubt_of_model(measures[-1]):
        return Phases(**ends, between=between, why_not="; ".join([*why_not, doubt]))
    ends_at("circuit_formation_end", curve.peak, curve.around_peak())
    cleaned = _cleaned(measures, curve.peak)
    if isinstance(cleaned, str):
        why_not.append(cleaned)
    else:
        ends_at("cleanup_end", cleaned, (cleaned - 1, cleaned))
    return Phases(**ends, between=between, why_not="; ".join(why_not))


@dataclass(frozen=True)
class Excluded:
    """The excluded loss at each checkpoint, without what lasts for one checkpoint alone.

    Attributes:
        values: medians of three, at the ends the losses themselves.
        valley: where it is lowest.
        peak: where it is highest from there on.
    """

    values: Sequence[float]
    valley: int
    peak: int

    @classmethod
    def of(cls, measures: Sequence[Measures]) -> "Excluded":
        part = "all" if measures[0].excluded["train"] is None else "train"
        raw = [m.excluded[part] or 0.0 for m in measures]
        inner = (median(raw[i - 1 : i + 2]) for i in range(1, len(raw) - 1))
        values = [raw[0], *inner, raw[-1]] if len(raw) > 1 else raw
        valley = min(range(len(raw)), key=lambda i: (values[i], raw[i]))
        return cls(values, valley, max(range(valley, len(raw)), key=lambda i: (values[i], raw[i])))

    @property
    def last(self) -> int:
        return len(self.values) - 1

    @property
    def rise(self) -> float:
        """From the lowest to the highest point, in nats."""
        return self.values[self.peak] - self.values[self.valley]

    def log(self, index: int) -> float:
        return math.log(max(self.values[index], TINY))

    def around_valley(self) -> Interval:
        """The checkpoints next to those that may be the lowest."""
        level = self.log(self.valley) + NEAR_VALLEY * (self.log(self.peak) - self.log(self.valley))
        return self._around(self.valley, lambda i: self.log(i) <= level)

    def around_peak(self) -> Interval:
        """The checkpoints next to those that may be the highest."""
        level = self.values[self.peak] - NEAR_PEAK * self.rise
        return self._around(self.peak, lambda i: self.values[i] >= level)

    def _around(self, at: int, is_near: Callable[[int], bool]) -> Interval:
        near = [i for i in range(self.last + 1) if is_near(i)]
        return max(min(near) - 1, 0), min(max(near) + 1, self.last)

    def doubt_of_rise(self) -> str:
        """Why it does not rise for good from its lowest point on; empty where it does."""
        whole, highest = self.log(self.peak) - self.log(self.valley), -math.inf
        for i in range(self.valley, self.peak + 1):
            highest = max(highest, self.log(i))
            if highest - self.log(i) > FALLS * whole:
                return "the excluded loss rises and falls back, as in spikes"
        return ""

    def doubt_of_peak(self) -> str:
        """Why its highest point is not where it turns; empty where it is."""
        if self.peak == self.last:
            falls = "is lowest" if self.valley == self.last else "still rises"
            return f"the excluded loss {falls} at the last checkpoint; train for more epochs"
        lowest = math.inf
        for value in self.values[self.peak :]:
            lowest = min(lowest, value)
            if value - lowest > RISES * self.rise:
                return "the excluded loss rises again after its highest point, as after a spike"
        if self.around_peak()[1] > self.last + 1 - HOLDS:
            return (
                "the excluded loss is about as high at the last checkpoint; train for more epochs"
            )
        return ""


def _doubt_of_model(last: Measures) -> str:
    accuracy = last.accuracy["all"]
    if accuracy is None or accuracy >= GENERALISES:
        return ""
    return f"the model is right on {share(accuracy, 1)} of all pairs at the last checkpoint"


def _cleaned(measures: Sequence[Measures], formed: int) -> int | str:
    """The checkpoint from which on the weights shrink no more, or why there is none."""
    weights = [m.squared_weights for m in measures]
    fall, last = weights[formed] - weights[-1], len(weights) - 1
    if fall < REST * weights[formed]:
        return "the weights hardly shrink after the excluded loss has peaked"
    ended = max(i for i in range(formed, last) if abs(weights[i] - weights[-1]) > REST * fall) + 1
    if ended - formed > SETTLED * (last - formed):
        return "the weights still shrink at the last checkpoint; train for more epochs"
    return ended
