"""The result of patching: claims, arrays and a line."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.evidence import few, only, warnings_of_pairs
from mitool.analysis.interventions.material import Material
from mitool.analysis.interventions.pair_groups import PairGroups
from mitool.analysis.patching.effects import (
    Effects,
    Top,
    difference,
    effects_of,
    largest,
    site_names,
    top_of,
)
from mitool.analysis.patching.plan import Plan
from mitool.analysis.patching.study import Measured
from mitool.analysis.statistics import is_weak
from mitool.core.numerals import share
from mitool.core.result import Claim, Result, number
from mitool.storage import layout

MOST = 20
"""Sites of a family whose effects are claims."""

OF_RUNS = (
    *("n_pairs", "n_distinct", "n_groups"),
    *("metric", "clean_metric", "corrupted_metric", "clean_accuracy", "n_sites"),
    *("n_unchanged", "top_site", "top_effect", "top_effect_ci", "top_p_value"),
)
OF_EDGES = ("all_edges_metric", "all_edges_effect", "all_edges_effect_ci")

POOR = 0.5
"""Accuracy below which a reader is warned."""


@dataclass(frozen=True)
class PatchResult(Result):
    """What patching found.

    Attributes:
        unit: of the metric.
        groups: which of the pairs have an input in common.
        measured: the metric of each pair.
        effects: by family; ``path``, ``edge`` and ``all_edges`` are such.
    """

    plan: Plan
    unit: str
    columns: tuple[Column, ...]
    groups: PairGroups
    measured: Measured
    effects: Mapping[str, Effects]
    top: Top

    def arrays(self) -> Mapping[str, Tensor]:
        found = {
            "clean": self.measured.clean,
            "corrupted": self.measured.corrupted,
            "pairs.group": self.groups.of,
        }
        shapes = {family.name: family.shape for family in self.plan.families}
        for name, effects in self.effects.items():
            shape = shapes.get(name, (len(effects.sites),))
            found[f"{name}.metric_by_pair"] = self.measured.values[name].unflatten(0, shape)
            for part in ("patched", "effect", "low", "high", "changed"):
                found[f"{name}.{part}"] = getattr(effects, part).view(shape)
        return found

    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        return {layout.EFFECTS: {n: list(self._rows(e)) for n, e in self.effects.items()}}

    def _rows(self, effects: Effects) -> list[Mapping[str, Any]]:
        between = difference(self.measured)
        raw = effects.patched - self.measured.corrupted.mean()
        undefined = torch.full_like(raw, torch.nan)
        return list(effects.rows(undefined if between is None else raw / between.mean()))

    @property
    def checkable(self) -> Mapping[str, Claim]:
        """The effects of all sites, of which claims are the largest of each family."""
        every = {
            f"effects.{site}": number(effect)
            for name, found in self.effects.items()
            if name != "all_edges"
            for site, effect in zip(found.sites, found.effect, strict=True)
        }
        return {**self.claims, **every}

    @property
    def conclusion(self) -> str | None:
        top = self.effects[self.top.family]
        found = self.finding(self.top.family, self.top.index)
        if found is None:
            return None
        chance = f"one as large by chance: p = {self.top.p_value:z.2g}"
        return f"{top.sites[self.top.index]} {found}; {chance}"

    def finding(self, family: str, index: int, *, are_many: bool = False) -> str | None:
        """What one patch does, as what is said of it; None where that is undefined.

        Args:
            are_many: it is said of several together.
        """
        effects, s = self.effects[family], "" if are_many else "s"
        value, sure = number(effects.effect[index]), effects.interval(index)
        if value is None:
            return None
        gap = f"the gap in {self.unit} between the two runs"
        if value < 0:
            said = f"widen{s} {gap} by {-value:z.1%}"
        elif self.plan.direction == "denoise":
            said = f"restore{s} {value:z.1%} of {gap}"
        else:
            said = f"take{s} away {value:z.1%} of {gap}"
        ends = "" if sure is None else f" (95 % interval {sure[0]:z.1%} to {sure[1]:z.1%})"
        return said + ends


def claim_names(plan: Plan) -> list[str]:
    """What the claims will be called; of each family those on the largest effects are made."""
    sites = [
        f"effects.{site}"
        for name, sites in site_names(plan).items()
        if name != "all_edges"
        for site in sites
    ]
    return [*OF_RUNS, *(OF_EDGES if plan.edges else ()), *sites]


def patch_result(
    material: Material,
    plan: Plan,
    measured: Measured,
    subject: Mapping[str, Any],
    config: Mapping[str, Any],
    n_resamples: int,
    seed: int,
) -> PatchResult:
    """The result of what was measured."""
    groups = material.pair_groups
    effects = effects_of(measured, plan, groups, n_resamples, seed)
    top = top_of(measured, plan, effects, groups, n_resamples, seed)
    alone = {name: found for name, found in effects.items() if name != "all_edges"}
    return PatchResult(
        subject,
        config,
        _claims(material, measured, effects, alone, top),
        plan=plan,
        unit=material.metric.unit,
        columns=material.columns,
        groups=groups,
        measured=measured,
        effects=effects,
        top=top,
        warnings=(
            *warnings_of_pairs(material, config.get("n_pairs")),
            *_of_number(groups),
            *_warnings(measured, alone, groups),
        ),
    )


def _claims(
    material: Material,
    measured: Measured,
    effects: Mapping[str, Effects],
    alone: Mapping[str, Effects],
    top: Top,
) -> dict[str, Claim]:
    """The claims.

    Args:
        alone: the effects of what was patched alone.
    """
    best = effects[top.family]
    claims: dict[str, Claim] = {
        "n_pairs": material.n_pairs,
        "n_distinct": material.pair_groups.n_distinct,
        "n_groups": material.pair_groups.n,
        "metric": material.metric.unit,
        "clean_metric": measured.clean.mean().item(),
        "corrupted_metric": measured.corrupted.mean().item(),
        "clean_accuracy": number(measured.right.nanmean()),
        "n_sites": sum(len(found.sites) for found in alone.values()),
        "n_unchanged": sum(int((found.changed == 0).sum()) for found in alone.values()),
        "top_site": best.sites[top.index],
        "top_effect": number(best.effect[top.index]),
        "top_effect_ci": _ends(best, top.index),
        "top_p_value": top.p_value,
    }
    if "all_edges" in effects:
        together = effects["all_edges"]
        claims |= {
            "all_edges_metric": together.patched.item(),
            "all_edges_effect": number(together.effect),
            "all_edges_effect_ci": _ends(together, 0),
        }
    for found in alone.values():
        for index in largest(found.effect, MOST):
            claims[f"effects.{found.sites[index]}"] = number(found.effect[index])
    return claims


def _ends(effects: Effects, index: int) -> list[float] | None:
    found = effects.interval(index)
    return None if found is None else list(found)


def _of_number(groups: PairGroups) -> list[str]:
    """What a reader must know of how many groups there are."""
    if one := only(groups):
        return [f"{one}: effects have no interval, and their p-value is 1"]
    if some := few(groups):
        least = 2.0 ** (1 - groups.n)
        return [f"{some} no p-value can be below {least:z.3g}, and intervals say little"]
    return []


def _warnings(
    measured: Measured, effects: Mapping[str, Effects], groups: PairGroups
) -> tuple[str, ...]:
    found = []
    between = difference(measured)
    if between is None:
        found.append(
            "effects are undefined: the metric is the same on the clean and the corrupted inputs, "
            f"{measured.clean.mean().item():z.4g} on both"
        )
    elif is_weak(between, groups.of):
        found.append(
            "the metric differs little between the clean and the corrupted inputs: over other "
            "pairs the difference, which effects are shares of, might be 0"
        )
    right = measured.right.nanmean().item()
    if math.isnan(right):
        found.append("clean_accuracy is undefined: the pairs come without answers")
    if right < POOR:
        found.append(
            f"the model is right on {share(right, 1)} of the clean inputs: what it does there may "
            "not be what the pairs ask for"
        )
    for name, family in effects.items():
        if not family.changed.any():
            found.append(
                f"{name}: no intervention changed an activation: what is put in is what was there"
            )
    return tuple(found)
