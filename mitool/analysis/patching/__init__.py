"""Activation, path and edge patching of toy and pretrained models."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.material import GivenPairs, Material, material_of
from mitool.analysis.patching.plan import Plan, Wanted, make_plan
from mitool.analysis.patching.result import PatchResult, claim_names, patch_result
from mitool.analysis.patching.study import measure
from mitool.core.config import as_dict
from mitool.core.device import Device, host
from mitool.models.subject import Studied
from mitool.pairs.files import read_pairs
from mitool.pairs.reading import Reading, reading_of_pairs
from mitool.settings import PatchSettings

__all__ = ["PatchResult", "Patching", "Wanted", "patch", "prepare_patching"]


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
    reading: Reading

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
        result = patch_result(
            self.material,
            self.plan,
            measured,
            self.subject,
            self.config,
            self.settings.resamples,
            self.seed,
        )
        return dataclasses.replace(result, warnings=(*self.reading.warnings, *result.warnings))


def patch(
    subject: Studied,
    settings: PatchSettings | None = None,
    *,
    pairs: GivenPairs = None,
    sites: Sequence[str] = (),
    paths: Sequence[str] = (),
    edges: Sequence[str] = (),
    seed: int = 0,
    device: Device | None = None,
) -> PatchResult:
    """Patch activations between clean and corrupted runs, and measure what that does.

    Args:
        pairs: a file, or pairs that were read or made; left out, they are drawn from the task.
        sites: families to sweep, with wildcards; left out, all of them, or none where there are
            paths or edges.
        paths: such as ``L0H1->L1H2<q>``, with wildcards, each patched alone.
        edges: likewise, each patched alone, and then all at once.
        seed: of what is drawn.
        device: where to compute; left out, the CPU, in float32.

    Raises:
        InputError: the file cannot be used, the model is no decoder that can be taken apart, or its
            outputs are not finite.
        UsageError: a site, path or edge is none of the model's, or settings contradict each other.
    """
    wanted, device = Wanted(sites, paths, edges), device or host()
    with device.active():
        return prepare_patching(
            subject, settings, wanted, pairs=pairs, seed=seed, device=device
        ).run()


def prepare_patching(
    subject: Studied,
    settings: PatchSettings | None = None,
    wanted: Wanted | None = None,
    *,
    pairs: GivenPairs = None,
    seed: int = 0,
    device: Device | None = None,
) -> Patching:
    """Find what is to be patched; arguments and errors are those of ``patch``."""
    settings, wanted, device = settings or PatchSettings(), wanted or Wanted(), device or host()
    subject = subject.with_bos(settings.bos)
    given = read_pairs(pairs) if isinstance(pairs, Path) else pairs
    material = material_of(subject, given, settings.metric, settings.n_pairs, device, seed)
    reading = reading_of_pairs(subject, given and given[: settings.n_pairs])
    plan = make_plan(material.decoder, material.columns, settings, wanted)
    config = as_dict(settings) | {
        "direction": plan.direction,
        "metric": material.metric.name,
        "pairs": str(pairs) if isinstance(pairs, Path) else None,
        "sites": [family.name for family in plan.families],
        "paths": list(wanted.paths),
        "edges": list(wanted.edges),
        "seed": seed,
        "read": material.name,
        **reading.config,
        **device.describe(),
    }
    budget = Budget.of(settings.memory, device)
    return Patching(material, plan, settings, subject.describe(), config, budget, seed, reading)
