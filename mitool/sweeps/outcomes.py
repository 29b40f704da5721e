"""What comes of a sweep: what became of its points, and their claims side by side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitool.core.result import Claim, Result
from mitool.sweeps.base import Outcome
from mitool.sweeps.table import Value, typed

OWN_CLAIMS = ("points", "done", "failed")
"""What is claimed of a sweep beside what is claimed of its points."""


@dataclass(frozen=True)
class SweepResult(Result):
    """What became of all points.

    Attributes:
        folder: of the sweep.
        axes: the value of each point, in the points' order, by the axis's name; numbers where all
            values of the axis are; None where a point leaves it to the command.
        outcomes: in the same order.
    """

    folder: Path
    axes: Mapping[str, tuple[Value, ...]]
    outcomes: tuple[Outcome, ...]


def result_of(folder: Path, record: Mapping[str, Any], outcomes: Sequence[Outcome]) -> SweepResult:
    """The result of a sweep, with lists of what its points claim.

    Args:
        record: of the sweep, as ``config.json`` holds it.
        outcomes: of the points of its grid; the record may have more.
    """
    axes = {
        name: tuple(typed([outcome.point.values.get(name) for outcome in outcomes]))
        for name in record["axes"]
    }
    lists = _lists(outcomes)
    n_done = sum(outcome.done for outcome in outcomes)
    counts = (len(outcomes), n_done, len(outcomes) - n_done)
    claims: dict[str, Claim] = {**dict(zip(OWN_CLAIMS, counts, strict=True)), **lists}
    command = " ".join(record["command"][:2])
    return SweepResult(
        {"command": command, "run": str(folder)},
        record,
        claims,
        warnings=tuple(_warnings(record, outcomes, lists)),
        folder=folder,
        axes=axes,
        outcomes=tuple(outcomes),
    )


def _warnings(
    record: Mapping[str, Any], outcomes: Sequence[Outcome], lists: Mapping[str, Sequence[Any]]
) -> list[str]:
    """What failed, what is not of the grid, and how often a claim has no value."""
    warnings = [
        f"{o.point.name} failed (exit code {o.exit_code}): {o.error}"
        for o in outcomes
        if not o.done
    ]
    if left_out := len(record["points"]) - len(outcomes):
        warnings.append(
            f"{left_out} points that the folder holds are not of this grid, and not in its tables"
        )
    undefined = Counter(
        name
        for index, o in enumerate(outcomes)
        if o.done
        for name, values in lists.items()
        if values[index] is None
    )
    return warnings + [
        f"{name} is undefined for {count} of {len(outcomes)} points"
        for name, count in undefined.items()
    ]


def _lists(outcomes: Sequence[Outcome]) -> dict[str, list[Any]]:
    """The claims of all points as lists over the points."""
    found = [one_value_each(outcome.claims) for outcome in outcomes]
    names = dict.fromkeys(name for claims in found for name in claims)
    return {name: [claims.get(name) for claims in found] for name in names}


def one_value_each(claims: Mapping[str, Claim]) -> dict[str, Any]:
    """A point's claims as values that can be compared: a list of one as that one, and of a longer
    list of numbers the mean, as ``NAME.mean``.
    """
    found: dict[str, Any] = {}
    for name, claim in claims.items():
        if not isinstance(claim, list):
            found[name] = claim
        elif len(claim) == 1:
            found[name] = claim[0]
        elif claim and all(_is_number(value) for value in claim):
            found[f"{name}.mean"] = sum(claim) / len(claim)
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
