"""Toy models of superposition, and models that engineer monosemanticity."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from mitool.api.asking import computed_on, request_of
from mitool.api.calls import called
from mitool.api.finding import Finding
from mitool.api.keywords import divided, own_keywords, required_seed, takes
from mitool.core.config import nearest
from mitool.core.errors import UsageError
from mitool.settings import MonosemanticitySettings, SuperpositionSettings

if TYPE_CHECKING:
    from mitool.analysis.monosemanticity import MonosemanticityResult
    from mitool.analysis.superposition import SuperpositionResult


@takes(SuperpositionSettings, preset_by="experiment")
def superpose(
    experiment: str = "intro",
    *,
    out: str | PathLike[str] | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    formats: str | Sequence[str] = "html",
    device: str = "auto",
    threads: int | None = None,
    progress: bool = True,
    **values: Any,
) -> "Finding[SuperpositionResult]":
    """Train toy models of superposition side by side, and draw how they store features.

    Args:
        experiment: intro, norms, geometry, dimensionality, phase, correlated, basis or train.
        out: the run's folder; left out, one in ``runs/``.
        seed: of all that is random.
        resume: go on with the run that the folder holds, if it holds one.
        overwrite: replace the run that the folder holds.
        formats: of the report, html or png or both; png needs a browser.
        device: auto, cpu, cuda, cuda:INDEX or mps.
        threads: of the CPU; left out, all cores.
        progress: show how far it is.

    Raises:
        UsageError: the experiment or a setting is unknown or out of its range, or the folder
            cannot be used.
        InputError: the run to resume is damaged.
        RunError: a loss diverged, or memory, disk or the device failed.
        KeyboardInterrupt: the run was interrupted; it is saved.
    """
    from mitool.actions.superposition import train_and_draw
    from mitool.core import device as devices
    from mitool.report import superposition_report
    from mitool.settings.superposition import PRESETS
    from mitool.training.superposition import SuperpositionConfig

    if experiment not in PRESETS:
        raise UsageError(f"no experiment named {experiment!r}: {nearest(str(experiment), PRESETS)}")
    (stated,) = divided(values, [SuperpositionSettings], own_keywords(superpose))
    settings = PRESETS[experiment].settled(stated)
    compute = devices.resolve(str(device), threads=threads, resume=resume)
    config = SuperpositionConfig(experiment, settings, compute, required_seed("seed", seed))
    request = request_of(
        f"superpose {experiment}",
        called(
            "mitool.superpose",
            experiment,
            seed=seed or None,
            **computed_on(device, threads=threads),
            **values,
        ),
        out=out,
        resume=resume,
        overwrite=overwrite,
        formats=formats,
        progress=progress,
    )
    done = train_and_draw(request, config)
    warnings = done.envelope["warnings"]
    return Finding(done.result, done.folder, request.again, superposition_report, warnings)


@takes(MonosemanticitySettings, preset_by="preset")
def monosemanticity(
    preset: str | None = None,
    *,
    scale: Literal["published", "small"] = "published",
    sweep: Mapping[str, Sequence[float | str]] | None = None,
    out: str | PathLike[str] | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    formats: str | Sequence[str] = "html",
    device: str = "auto",
    threads: int | None = None,
    progress: bool = True,
    **values: Any,
) -> "Finding[MonosemanticityResult]":
    """Train neurons to stand for one feature each, over a sweep of settings.

    Args:
        preset: a line of the published table, LR1 to D1: its settings, and what it sweeps.
        scale: sizes as published, or such as two cores train in minutes.
        sweep: the values of settings, a model for each combination; in the place of the preset's.
        out: the run's folder; left out, one in ``runs/``.
        seed: of all that is random.
        resume: go on with the run that the folder holds, if it holds one.
        overwrite: replace the run that the folder holds.
        formats: of the report, html or png or both; png needs a browser.
        device: auto, cpu, cuda, cuda:INDEX or mps.
        threads: of the CPU; left out, all cores.
        progress: show how far it is.

    Raises:
        UsageError: the preset or a setting is unknown or out of its range, or the folder cannot
            be used.
        InputError: the run to resume is damaged.
        RunError: all losses diverged, or memory, disk or the device failed.
        KeyboardInterrupt: the run was interrupted; it is saved.
    """
    from mitool.actions.monosemanticity import configs, train_and_draw
    from mitool.core import device as devices
    from mitool.report import monosemanticity_report

    (stated,) = divided(values, [MonosemanticitySettings], own_keywords(monosemanticity))
    compute = devices.resolve(str(device), threads=threads, resume=resume)
    seed, axes = required_seed("seed", seed), dict(sweep or {})
    config, reference = configs(preset, scale, axes, stated, compute, seed)
    stated_scale = None if scale == "published" else scale
    given = {"scale": stated_scale, "sweep": axes or None, **computed_on(device, threads=threads)}
    arguments = () if preset is None else (preset,)
    request = request_of(
        "superpose mono",
        called("mitool.monosemanticity", *arguments, **given, seed=seed or None, **values),
        out=out,
        resume=resume,
        overwrite=overwrite,
        formats=formats,
        progress=progress,
    )
    done = train_and_draw(request, config, reference)
    warnings = done.envelope["warnings"]
    return Finding(done.result, done.folder, request.again, monosemanticity_report, warnings)
