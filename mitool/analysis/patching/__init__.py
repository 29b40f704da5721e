"""Activation, path and edge patching of toy and pretrained models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.graph import Graph
from mitool.analysis.patching.material import Material, material_of
from mitool.analysis.patching.paths import paths_of
from mitool.analysis.patching.result import PatchResult, claim_names, patch_result
from mitool.analysis.patching.sites import Family, families_of
from mitool.analysis.patching.study import Plan, measure
from mitool.config import as_dict
from mitool.device import Device, host
from mitool.errors import UsageError
from mitool.models.pretrained import Pretrained
from mitool.settings import Ablation, Direction, PatchSettings
from mitool.subject import Subject

__all__ = ["PatchResult", "Patching", "patch", "prepare_patching"]

MIB = 2**20
MOST_MEMORY = 512
"""MiB of variants side by side, if nothing else is said; more makes nothing faster."""


@dataclass(frozen=True)
class Patching:
    """What is to be patched, ready to run."""

    material: Material
    plan: Plan
    settings: PatchSettings
    subject: dict[str, Any]
    config: dict[str, Any]
    budget: Budget
    seed: int

    @property
    def claim_names(self) -> list[str]:
        return claim_names(self.plan)

    def run(self, progress: Callable[[int, int], None] = lambda done, total: None) -> PatchResult:
        """Patch everything.

        Args:
            progress: told of the runs done, one for each variant of each pair, and of all.

        Raises:
            InputError: the model's outputs are not finite, or it is none that can be taken apart.
        """
        measured = measure(self.material, self.plan, self.budget, progress)
        return patch_result(
            self.material,
            self.plan,
            measured,
            self.subject,
            self.config,
            self.settings.resamples,
            self.seed,
        )


def patch(
    subject: Subject | Pretrained,
    settings: PatchSettings | None = None,
    *,
    pairs: Path | None = None,
    sites: Sequence[str] = (),
    paths: Sequence[str] = (),
    edges: Sequence[str] = (),
    seed: int = 0,
    device: Device | None = None,
) -> PatchResult:
    """Patch activations between clean and corrupted runs, and measure what that does.

    Args as ``prepare_patching`` has them, errors as both that and ``Patching.run``.
    """
    prepared = prepare_patching(
        subject,
        settings,
        pairs=pairs,
        sites=sites,
        paths=paths,
        edges=edges,
        seed=seed,
        device=device,
    )
    return prepared.run()


def prepare_patching(
    subject: Subject | Pretrained,
    settings: PatchSettings | None = None,
    *,
    pairs: Path | None = None,
    sites: Sequence[str] = (),
    paths: Sequence[str] = (),
    edges: Sequence[str] = (),
    seed: int = 0,
    device: Device | None = None,
) -> Patching:
    """Find what is to be patched.

    Args:
        pairs: a file (``mitool.pair_files.read_pairs``); left out, pairs are drawn from the task.
        sites: families to sweep, with wildcards; left out, all of them, or none where there are
            paths or edges.
        paths: such as ``a0.h1->a1.h2<q>``, with wildcards, each patched alone.
        edges: likewise, each patched alone, and then all at once.
        seed: of what is drawn.

    Raises:
        InputError: the file cannot be used, or the model is no decoder that can be taken apart.
        UsageError: a site, path or edge is none of the model's, or settings contradict each other.
    """
    settings, device = settings or PatchSettings(), device or host()
    direction = _direction(settings)
    material = material_of(subject, settings, device, seed, pairs)
    graph = Graph.of(material.decoder)
    families = (
        families_of(material.decoder, material.columns, sites, by_position=settings.by_position)
        if sites or not (paths or edges)
        else []
    )
    families = _defined(families, settings.ablation, asked_for=bool(sites))
    plan = Plan(
        direction,
        settings.ablation,
        families,
        paths_of(graph.matching(paths, "--path")) if paths else [],
        settings.between,
        graph.matching(edges, "--edge") if edges else [],
    )
    config = as_dict(settings) | {
        "direction": direction,
        "metric": material.metric.name,
        "pairs": None if pairs is None else str(pairs),
        "sites": [family.name for family in families],
        "paths": list(paths),
        "edges": list(edges),
        "seed": seed,
        "read": material.name,
        **device.describe(),
    }
    usual = min(MOST_MEMORY * MIB, device.free_memory() // 4)
    budget = Budget(usual if settings.memory is None else settings.memory * MIB)
    return Patching(material, plan, settings, subject.describe(), config, budget, seed)


def _direction(settings: PatchSettings) -> Direction:
    if settings.ablation == "patch":
        return settings.direction or "denoise"
    if settings.direction == "denoise":
        raise UsageError(
            f"--direction denoise puts clean activations into the corrupted run, and --ablation "
            f"{settings.ablation} puts in none: leave one of them out"
        )
    return "noise"


def _defined(families: list[Family], ablation: Ablation, *, asked_for: bool) -> list[Family]:
    """The families that have what is put in: attention patterns have no mean over positions.

    Raises:
        UsageError: one that was asked for has none.
    """
    if ablation not in ("mean", "mean-positional"):
        return families
    without = [family.name for family in families if family.activation == "pattern"]
    if without and asked_for:
        raise UsageError(
            f"--site {without[0]}: a pattern's places are positions, so that it has no mean that "
            f"--ablation {ablation} could put in; patch it from the other run, or with zero"
        )
    return [family for family in families if family.name not in without]
