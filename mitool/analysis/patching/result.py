"""The result of patching: claims, arrays and a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mitool.analysis.patching.columns import Column
from mitool.analysis.patching.effects import (
    Effects,
    Top,
    difference,
    effects_of,
    number,
    site_names,
    top_of,
)
from mitool.analysis.patching.material import Material
from mitool.analysis.patching.study import Measured, Plan
from mitool.result import Claim, Result

MOST = 20
"""Sites of a family whose effects are claims."""

OF_RUNS = (
    *("n_pairs", "metric", "clean_metric", "corrupted_metric", "clean_accuracy", "n_sites"),
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
        measured: the metric of each pair.
        effects: by family; ``path``, ``edge`` and ``all_edges`` are such.
    """

    plan: Plan
    unit: str
    columns: tuple[Column, ...]
    measured: Measured
    effects: Mapping[str, Effects]
    top: Top

    def arrays(self) -> Mapping[str, Tensor]:
        found = {"clean": self.measured.clean, "corrupted": self.measured.corrupted}
        shapes = {family.name: family.shape for family in self.plan.families}
        for name, effects in self.effects.items():
            shape = shapes.get(name, (len(effects.sites),))
            found[f"{name}.metric_by_pair"] = self.measured.values[name].unflatten(0, shape)
            for part in ("patched", "effect", "low", "high", "changed"):
                found[f"{name}.{part}"] = getattr(effects, part).view(shape)
        return found

    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        return {"effects.json": {n: list(self._rows(e)) for n, e in self.effects.items()}}

    def _rows(self, effects: Effects) -> list[Mapping[str, Any]]:
        between = difference(self.measured)
        raw = effects.patched - self.measured.corrupted.mean()
        undefined = torch.full_like(raw, torch.nan)
        return list(effects.rows(undefined if between is None else raw / between.mean()))

    @property
    def conclusion(self) -> str | None:
        effects, at = self.effects[self.top.family], self.top.index
        value = number(effects.effect[at])
        if value is None:
            return None
        verb = "restores" if self.plan.direction == "denoise" else "takes away"
        return (
            f"{effects.sites[at]} {verb} {value:.1%} of the {self.unit} between the two runs "
            f"(95 % interval {effects.low[at].item():.1%} to {effects.high[at].item():.1%}; one as "
            f"large by chance: p = {self.top.p_value:.2g})"
        )


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
    effects = effects_of(measured, plan, n_resamples, seed)
    top = top_of(measured, plan, effects, n_resamples, seed)
    best = effects[top.family]
    alone = {name: found for name, found in effects.items() if name != "all_edges"}
    claims: dict[str, Claim] = {
        "n_pairs": material.n_pairs,
        "metric": material.metric.unit,
        "clean_metric": measured.clean.mean().item(),
        "corrupted_metric": measured.corrupted.mean().item(),
        "clean_accuracy": number(measured.right.mean()),
        "n_sites": sum(len(found.sites) for found in alone.values()),
        "n_unchanged": sum(int((found.changed == 0).sum()) for found in alone.values()),
        "top_site": best.sites[top.index],
        "top_effect": number(best.effect[top.index]),
        "top_effect_ci": _interval(best, top.index),
        "top_p_value": top.p_value,
    }
    if "all_edges" in effects:
        together = effects["all_edges"]
        claims |= {
            "all_edges_metric": together.patched.item(),
            "all_edges_effect": number(together.effect),
            "all_edges_effect_ci": _interval(together, 0),
        }
    for found in alone.values():
        for index in found.largest(MOST):
            claims[f"effects.{found.sites[index]}"] = number(found.effect[index])
    return PatchResult(
        subject,
        config,
        claims,
        plan=plan,
        unit=material.metric.unit,
        columns=material.columns,
        measured=measured,
        effects=effects,
        top=top,
        warnings=_warnings(measured, alone),
    )


def _interval(effects: Effects, index: int) -> list[float] | None:
    low, high = number(effects.low[index]), number(effects.high[index])
    return None if low is None or high is None else [low, high]


def _warnings(measured: Measured, effects: Mapping[str, Effects]) -> tuple[str, ...]:
    found = []
    between = difference(measured)
    if between is None:
        found.append(
            "effects are undefined: the metric is the same on the clean and the corrupted inputs, "
            f"{measured.clean.mean().item():.4g} on both"
        )
    right = measured.right.mean().item()
    if right < POOR:
        found.append(
            f"the model is right on {right:.1%} of the clean inputs: what it does there may not be "
            "what the pairs ask for"
        )
    for name, family in effects.items():
        if not family.changed.any():
            found.append(
                f"{name}: no intervention changed an activation: what is put in is what was there"
            )
    return tuple(found)
