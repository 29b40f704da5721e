"""What patching comes to: the mean over pairs of each site's effect, and how sure it is."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.interventions.pair_groups import PairGroups
from mitool.analysis.patching.plan import Plan
from mitool.analysis.patching.study import Measured
from mitool.analysis.statistics import bootstrap_ratio, largest_by_chance
from mitool.core.device import generator
from mitool.core.result import number

ZERO = 1e-6
"""A difference between the clean and the corrupted metric that is no more than this share of their
size, mean over pairs, is rounding.
"""


@dataclass(frozen=True)
class Effects:
    """What patching the sites of a family does, or paths, or edges.

    An effect is the share of the difference between the two runs that the patch moves the metric
    by: from the corrupted to the clean one where activations are denoised, the other way round
    where they are noised. It is NaN where the two runs do not differ.

    Attributes:
        sites: their names.
        patched: the metric with each patched, mean over pairs.
        low, high: ends of a bootstrap interval (95 %) of the effect; NaN where all pairs are one
            group.
        changed: share of the pairs in which the activation changed at all.
    """

    sites: tuple[str, ...]
    patched: Float[Tensor, " site"]
    effect: Float[Tensor, " site"]
    low: Float[Tensor, " site"]
    high: Float[Tensor, " site"]
    changed: Float[Tensor, " site"]

    def interval(self, index: int) -> tuple[float, float] | None:
        """The ends of the interval of a site's effect; None where they are undefined."""
        low, high = number(self.low[index]), number(self.high[index])
        return None if low is None or high is None else (low, high)

    def rows(self, normalised: Float[Tensor, " site"]) -> Iterator[Mapping[str, Any]]:
        """Everything on each site, as JSON values."""
        for index, site in enumerate(self.sites):
            yield {
                "site": site,
                "metric": self.patched[index].item(),
                "normalised": number(normalised[index]),
                "effect": number(self.effect[index]),
                "ci": [number(self.low[index]), number(self.high[index])],
                "changed_pairs": self.changed[index].item(),
            }


@dataclass(frozen=True)
class Top:
    """The site with the largest effect.

    Attributes:
        p_value: how often a sweep in which nothing matters has one as large.
    """

    family: str
    index: int
    p_value: float


def site_names(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The names of all that is patched alone, by family; paths and edges are such."""
    names = {family.name: tuple(site.name for site in family.sites()) for family in plan.families}
    names |= {"path": tuple(map(str, plan.paths))} if plan.paths else {}
    names |= {"edge": tuple(map(str, plan.edges)), "all_edges": ("all",)} if plan.edges else {}
    return names


def difference(measured: Measured) -> Float[Tensor, " pair"] | None:
    """What the clean metric is more than the corrupted one; None where they are the same."""
    clean, corrupted = measured.clean, measured.corrupted
    size = (clean.abs() + corrupted.abs()).mean()
    found = clean - corrupted
    return None if found.mean().abs() <= ZERO * size else found


def effects_of(
    measured: Measured, plan: Plan, groups: PairGroups, n_resamples: int, seed: int
) -> dict[str, Effects]:
    """The effects of all that was patched, by family."""
    between = difference(measured)
    found = {}
    for name, sites in site_names(plan).items():
        values = measured.values[name]
        moved = moved_by(measured, plan, name)
        undefined = torch.full((len(values),), math.nan, dtype=torch.float64)
        effect = low = high = undefined
        if between is not None:
            effect = moved.mean(dim=1) / between.mean()
            drawn = generator(seed, "bootstrap", name)
            low, high = bootstrap_ratio(moved, between, groups.of, n_resamples, drawn)
        changed = measured.changed[name].double().mean(dim=1)
        found[name] = Effects(sites, values.mean(dim=1), effect, low, high, changed)
    return found


def moved_by(measured: Measured, plan: Plan, name: str) -> Float[Tensor, "site pair"]:
    """How far each patch of a family moves the metric towards that of the run it patches from."""
    values = measured.values[name]
    denoises = plan.direction == "denoise"
    return values - measured.corrupted if denoises else measured.clean - values


def top_of(
    measured: Measured,
    plan: Plan,
    effects: Mapping[str, Effects],
    groups: PairGroups,
    n_permutations: int,
    seed: int,
) -> Top:
    """The site that matters most: of components where some were patched.

    The residual stream is everything there is at a position, so that its own largest effect says
    nothing but that the two inputs differ.
    """
    residual = [family.name for family in plan.families if family.is_residual]
    names = [name for name in effects if name not in (*residual, "all_edges")] or residual
    moved = torch.cat([moved_by(measured, plan, name) for name in names])
    drawn = generator(seed, "permutation")
    p_value = largest_by_chance(moved, groups.of, n_permutations, drawn)
    index = int(moved.mean(dim=1).abs().argmax())
    for name in names:
        if index < len(effects[name].sites):
            return Top(name, index, p_value)
        index -= len(effects[name].sites)
    raise AssertionError("the sites are those that were patched")


def largest(values: Float[Tensor, " site"], n: int) -> list[int]:
    """Where the largest values stand, of either sign; first the largest."""
    size = values.abs().nan_to_num(nan=-1.0)
    return size.sort(descending=True, stable=True).indices[:n].tolist()
