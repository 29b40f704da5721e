"""Finding a circuit: from scores to a choice of units."""

import bisect
from dataclasses import dataclass
from functools import partial

from jaxtyping import Bool, Float, Int
from torch import Tensor

from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.faithfulness import Ends
from mitool.analysis.circuits.methods import Method
from mitool.analysis.circuits.methods.acdc import threshold_of
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.outcomes import all_and_none, outcomes
from mitool.analysis.circuits.select import first, ladder, ranked
from mitool.analysis.circuits.steps import Progress, Steps
from mitool.analysis.circuits.units import Units
from mitool.core.errors import InputError
from mitool.settings import CircuitSettings

AT_A_TIME = 8
"""Sizes that are tried together."""


@dataclass(frozen=True)
class Selected:
    """Units that make a circuit.

    Attributes:
        reached: their faithfulness where they were chosen for it, on the pairs they were found on.
        note: what a user is to know of the choice.
    """

    units: Bool[Tensor, " unit"]
    reached: float | None = None
    note: str | None = None


def ends_of(bench: Bench, units: Units) -> Ends:
    """The metric of the whole model, and of nothing of it.

    Raises:
        InputError: the two are the same, so that there is nothing for a circuit to carry.
    """
    ends = Ends.of(outcomes(bench, units.kept(all_and_none(len(units)))))
    if not ends.is_defined:
        instead = {"patch": "the corrupted inputs", "zero": "zeros"}.get(bench.ablation, "means")
        raise InputError(
            f"expected a metric that differs between the model and what {instead} leave of it, "
            f"found {ends.full.mean().item():z.4g} for both, as a mean over {len(bench)} pairs: "
            "there is nothing for a circuit to carry; choose other pairs, another --metric or "
            "another --ablation"
        )
    return ends


def score(scoring: Scoring, method: Method, progress: Progress) -> Float[Tensor, " unit"]:
    """The scores of all units by a method."""
    steps = Steps(progress, "scoring", method.n_steps(scoring))
    return method.score(scoring.telling(steps))


def select(
    scoring: Scoring,
    scores: Float[Tensor, " unit"],
    ends: Ends,
    settings: CircuitSettings,
    progress: Progress,
) -> Selected:
    """The units that settings ask for.

    Raises:
        UsageError: the selection is not defined for these units.
    """
    units, selection, threshold = scoring.units, settings.selection, settings.threshold
    has_size = settings.edges is not None or settings.fraction is not None
    if settings.method == "acdc" and not has_size:
        selection, threshold = "signed", threshold_of(scoring)
    order = ranked(units, scores, selection, threshold)
    size = None if threshold is None else len(order)
    if settings.fraction is not None:
        size = max(1, int(settings.fraction * len(units)))
    if settings.edges is not None:
        size = settings.edges
    if size is not None:
        chosen = first(units, order, [size])[0]
        if _leaves_some(units, order, size):
            return Selected(chosen)
        return Selected(chosen, note=_nothing_left(units, ranked(units, scores, selection), size))
    return _fewest(scoring.bench, units, order, ends, settings.reach, progress)


def _leaves_some(units: Units, order: Int[Tensor, " chosen"], size: int) -> bool:
    """Whether some of the first units of an order lie on a path from the input to the answer."""
    return bool(units.units_of(units.circuit(first(units, order, [size])[0])).any())


def _nothing_left(units: Units, order: Int[Tensor, " unit"], size: int) -> str:
    """That the first so many of an order make no circuit, and how many make one."""
    leaves_some = partial(_leaves_some, units, order)
    least = bisect.bisect_left(range(len(order)), True, key=leaves_some)
    remedy = f"; a path takes at least the {least:,} strongest (--edges {least})"
    return (
        f"none of the {size:,} chosen {units.level}s lies on a path from the input to the answer, "
        f"so that the circuit is empty{remedy if leaves_some(least) else ''}"
    )


def _fewest(
    bench: Bench,
    units: Units,
    order: Tensor,
    ends: Ends,
    reach: float,
    progress: Progress,
) -> Selected:
    """The smallest of growing circuits that is as faithful as asked; all, if none is."""
    sizes = ladder(len(order))
    for start in range(0, len(sizes), AT_A_TIME):
        progress("sizes tried", start, len(sizes))
        circuits = first(units, order, sizes[start : start + AT_A_TIME])
        found = ends.faithfulness(outcomes(bench, units.kept(circuits)).metric)
        for circuit, value in zip(circuits, found.tolist(), strict=True):
            if value >= reach:
                return Selected(circuit, value)
    return Selected(circuits[-1], found[-1].item())
