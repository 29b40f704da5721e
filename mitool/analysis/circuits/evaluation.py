"""A circuit tested: alone, taken away, in parts, beside random ones, and under every ablation."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.circuit import Circuit
from mitool.analysis.circuits.faithfulness import Curve, Ends
from mitool.analysis.circuits.outcomes import Outcomes, all_and_none, outcomes
from mitool.analysis.circuits.select import FRACTIONS, first, ranked, sizes_of
from mitool.analysis.circuits.steps import Progress, Steps
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.edges import Kept
from mitool.core.device import generator
from mitool.settings import Ablation, CircuitSettings

ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)

ENOUGH = 10
"""Of 20 units there are more choices of 10 than random circuits can be asked for."""


@dataclass(frozen=True)
class Chosen:
    """A circuit with what it was chosen from.

    Attributes:
        chosen: its units.
        scores: of all units, where there are any.
    """

    units: Units
    circuit: Circuit
    chosen: Bool[Tensor, " unit"]
    scores: Float[Tensor, " unit"] | None = None


@dataclass(frozen=True)
class Ablated:
    """The circuit under an ablation.

    Attributes:
        circuit: the metric of each pair with the circuit alone.
    """

    ends: Ends
    circuit: Float[Tensor, " pair"]


@dataclass(frozen=True)
class Evaluation:
    """What the tests of a circuit came to, on each pair.

    Attributes:
        alone: with the circuit alone.
        complement: the metric with all but the circuit.
        random: the metric with random units, as many as the circuit has; no two the same.
        tested: units that were taken out of the circuit, each alone.
        without: the metric of what was left.
        ablations: the circuit alone under each ablation.
        curve: where there are scores.
    """

    ends: Ends
    alone: Outcomes
    complement: Float[Tensor, " pair"]
    random: Float[Tensor, "circuit pair"]
    tested: Int[Tensor, " tested"]
    without: Float[Tensor, "tested pair"]
    curve: Curve | None
    ablations: Mapping[Ablation, Ablated] = field(default_factory=dict)

    @property
    def losses(self) -> Float[Tensor, " tested"]:
        """How much faithfulness the circuit loses without each unit that was tested."""
        return self.ends.faithfulness(self.alone.metric) - self.ends.faithfulness(self.without)


def evaluate(
    bench: Bench,
    found: Chosen,
    settings: CircuitSettings,
    seed: int,
    progress: Progress = lambda label, done, total: None,
) -> Evaluation:
    """Test a circuit on the pairs of a bench.

    Args:
        progress: told of the runs done, one for each variant of each pair.
    """
    units, n = found.units, int(found.chosen.sum())
    tested = _tested(found.chosen, settings.minimality, seed)
    sets = {
        "ends": all_and_none(len(units)),
        "complement": ~found.chosen[None],
        "random": random_choices(len(units), n, settings.random_circuits, seed),
        "without": _without(found.chosen, tested),
        **_along_curve(found),
    }
    kept = Kept.joined([found.circuit.kept, *map(units.kept, sets.values())])
    n_ablations = len(ABLATIONS) - 1
    tell = Steps(progress, "testing", (len(kept) + 3 * n_ablations) * len(bench))
    whole, at = outcomes(bench, kept, tell), 1
    parts = {}
    for name, rows in sets.items():
        parts[name] = whole[slice(at, at := at + len(rows))]
    ends, alone = Ends.of(parts["ends"]), whole[:1]
    return Evaluation(
        ends,
        alone,
        parts["complement"].metric[0],
        parts["random"].metric,
        tested,
        parts["without"].metric,
        _curve(units, ends, parts) if found.scores is not None else None,
        _under_all(bench, found, Ablated(ends, alone.metric[0]), tell),
    )


def _under_all(
    bench: Bench, found: Chosen, own: Ablated, done: Callable[[int], None]
) -> dict[Ablation, Ablated]:
    units, held = found.units, {bench.ablation: own}
    kept = Kept.joined([units.kept(all_and_none(len(units))), found.circuit.kept])
    for ablation in ABLATIONS:
        if ablation != bench.ablation:
            runs = outcomes(bench.under(ablation), kept, done)
            held[ablation] = Ablated(Ends.of(runs), runs.metric[2])
    return {ablation: held[ablation] for ablation in ABLATIONS}


def _tested(chosen: Bool[Tensor, " unit"], most: int, seed: int) -> Int[Tensor, " tested"]:
    members = chosen.nonzero()[:, 0]
    drawn = torch.randperm(len(members), generator=generator(seed, "minimality"))
    return members[drawn[:most].sort().values]


def _without(
    chosen: Bool[Tensor, " unit"], tested: Int[Tensor, " tested"]
) -> Bool[Tensor, "tested unit"]:
    """The circuit less each of these units."""
    found = chosen.repeat(len(tested), 1)
    found[torch.arange(len(tested)), tested] = False
    return found


def random_choices(
    n_units: int, n: int, n_circuits: int, seed: int
) -> Bool[Tensor, "circuit unit"]:
    """Random choices of ``n`` units, no two the same: as many as asked for, or all there are."""
    drawn, found = generator(seed, "random circuits"), dict[bytes, Tensor]()
    n_circuits = min(n_circuits, math.comb(n_units, min(n, n_units - n, ENOUGH)))
    while len(found) < n_circuits:
        order = torch.rand(n_circuits, n_units, generator=drawn).argsort(dim=1)
        chosen = torch.zeros(n_circuits, n_units, dtype=torch.bool)
        for row in chosen.scatter_(1, order[:, :n], True):
            found.setdefault(row.numpy().tobytes(), row)
    rows = list(found.values())[:n_circuits]
    return torch.stack(rows) if rows else torch.zeros(0, n_units, dtype=torch.bool)


def _along_curve(found: Chosen) -> dict[str, Bool[Tensor, "size unit"]]:
    if found.scores is None:
        return {}
    units, sizes = found.units, sizes_of(found.units)
    return {
        "signed": first(units, ranked(units, found.scores, "signed"), sizes),
        "absolute": first(units, ranked(units, found.scores, "absolute"), sizes),
    }


def _curve(units: Units, ends: Ends, parts: Mapping[str, Outcomes]) -> Curve:
    signed, absolute = (ends.faithfulness(parts[k].metric) for k in ("signed", "absolute"))
    return Curve(FRACTIONS, tuple(sizes_of(units)), signed, absolute)
