"""Results of patching, of small models with random weights."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from mitool.analysis.interventions.columns import Column
from mitool.analysis.patching import PatchResult, Wanted, prepare_patching
from mitool.analysis.patching.result import patch_result
from mitool.analysis.patching.study import measure
from mitool.report import Figure, patching_figures
from mitool.settings import PatchSettings
from mitool.tasks.min import Min
from tests.report.attention import untrained


def patched(*, undefined: bool = False, **options: Any) -> PatchResult:
    """Two layers of three heads with MLPs, on pairs of two numbers.

    Args:
        undefined: the metric of the corrupted run is taken for that of the clean one too, so that
            there are no effects.
        options: ``sites``, ``paths`` and ``edges``; the rest are settings.
    """
    wanted = Wanted(**{name: options.pop(name, ()) for name in ("sites", "paths", "edges")})
    settings = PatchSettings(n_pairs=options.pop("n_pairs", 6), resamples=100, **options)
    subject = untrained(Min(max_value=4), n_layers=2, n_heads=3, attn_only=False)
    own = prepare_patching(subject, settings, wanted)
    measured = measure(own.material, own.plan, own.budget)
    if undefined:
        measured.clean = measured.corrupted.clone()
    return patch_result(
        own.material, own.plan, measured, subject.describe(), own.config, settings.resamples, 0
    )


def by_name(result: PatchResult) -> dict[str, Figure]:
    return {figure.name: figure for figure in patching_figures(result)}


def with_columns(result: PatchResult, columns: Sequence[tuple[str, str]]) -> PatchResult:
    """With other names and tokens of the positions."""
    own = tuple(Column(*named, ((i, i + 1),)) for i, named in enumerate(columns))
    families = [replace(f, columns=own if f.columns else ()) for f in result.plan.families]
    return replace(result, plan=replace(result.plan, families=families), columns=own)


def with_effects(result: PatchResult, family: str, **changes: Tensor) -> PatchResult:
    changed = replace(result.effects[family], **changes)
    return replace(result, effects={**result.effects, family: changed})


def effect_of(result: PatchResult, site: str) -> float | None:
    """The effect by a site's name; None where nothing changes."""
    ((effect, changed),) = (
        (effects.effect[effects.sites.index(site)], effects.changed[effects.sites.index(site)])
        for effects in result.effects.values()
        if site in effects.sites
    )
    return effect.item() if changed else None
