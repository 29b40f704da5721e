"""The analyses of a model, each under its device, with its progress and its remedy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from mitool.actions.agreement import require_same_outputs
from mitool.actions.pairs import pairs_of
from mitool.actions.request import Expect
from mitool.analysis.attention import AttentionResult, analyze_attention
from mitool.analysis.attention import claim_names as attention_claim_names
from mitool.analysis.circuits import CircuitFiles, CircuitResult, prepare_circuit
from mitool.analysis.fourier import FourierResult, analyze_fourier
from mitool.analysis.fourier import claim_names as fourier_claim_names
from mitool.analysis.interventions.material import GivenPairs
from mitool.analysis.patching import PatchResult, Wanted, prepare_patching
from mitool.console.progress import counted, phases
from mitool.console.terminal import note
from mitool.core.device import Device
from mitool.core.memory import out_of_memory_is_an_error
from mitool.core.result import Result
from mitool.models.subject import Studied, Subject
from mitool.settings import AttentionSettings, CircuitSettings, FourierSettings, PatchSettings
from mitool.storage import underway

R = TypeVar("R", bound=Result)

FEWER_PAIRS = "give fewer pairs with --n-pairs, or less --memory"
REMEDIES = {
    "fourier": "analyse a model of a smaller p",
    "attn": "look at fewer --examples, or at a smaller model",
    "patch": FEWER_PAIRS,
    "circuit": FEWER_PAIRS,
}
"""What to do should memory run out, by the name of the analysis."""


@dataclass(frozen=True)
class Inputs:
    """The pairs of clean and corrupted inputs that are asked for.

    Attributes:
        pairs: a file, or pairs that were read or made.
        task: what to make them of instead, for a pretrained model.
        seed: of what is drawn.
    """

    pairs: GivenPairs = None
    task: str | None = None
    seed: int = 0


def fourier(
    subject: Subject,
    settings: FourierSettings,
    checkpoints: Sequence[Path],
    device: Device,
    console: Console | None = None,
    *,
    expect: Expect = lambda names: None,
) -> FourierResult:
    """See ``analyze_fourier``."""
    expect([*fourier_claim_names(follows=bool(checkpoints)), *_of_run(subject)])
    with out_of_memory_is_an_error(REMEDIES["fourier"]), counted(console, "checkpoints") as tell:
        found = analyze_fourier(
            subject, settings, checkpoints=checkpoints, device=device, observer=tell
        )
    return _with_notes(found, subject)


def attention(
    subject: Studied,
    settings: AttentionSettings,
    device: Device,
    console: Console | None = None,
    *,
    pairs: Path | None = None,
    texts: Sequence[str] = (),
    seed: int = 0,
    expect: Expect = lambda names: None,
) -> AttentionResult:
    """See ``analyze_attention``."""
    shape = subject.shape
    expect([*attention_claim_names(shape.n_layers, shape.n_heads), *_of_run(subject)])
    remedy = REMEDIES["attn"]
    with out_of_memory_is_an_error(remedy), device.active(), counted(console, "prompts") as tell:
        found = analyze_attention(
            subject, settings, pairs=pairs, texts=texts, seed=seed, progress=tell
        )
    return _with_notes(found, subject)


def patching(
    subject: Studied,
    settings: PatchSettings,
    wanted: Wanted,
    inputs: Inputs,
    device: Device,
    console: Console | None = None,
    *,
    expect: Expect = lambda names: None,
) -> PatchResult:
    """See ``mitool.analysis.patching.patch``."""
    subject = subject.with_bos(settings.bos)
    with out_of_memory_is_an_error(REMEDIES["patch"]), device.active():
        given, metric = pairs_of(
            subject, inputs.pairs, inputs.task, settings.metric, settings.n_pairs, inputs.seed
        )
        prepared = prepare_patching(
            subject,
            replace(settings, metric=metric),
            wanted,
            pairs=given,
            seed=inputs.seed,
            device=device,
        )
        expect([*prepared.claim_names, *_of_run(subject)])
        require_same_outputs(subject, given, inputs.seed, device)
        with counted(console, "patched runs") as tell:
            return _with_notes(prepared.run(tell), subject)


def circuit(
    subject: Studied,
    settings: CircuitSettings,
    files: CircuitFiles,
    inputs: Inputs,
    device: Device,
    console: Console | None = None,
    *,
    expect: Expect = lambda names: None,
) -> CircuitResult:
    """See ``analyze_circuit``."""
    subject = subject.with_bos(settings.bos)
    with out_of_memory_is_an_error(REMEDIES["circuit"]), device.active():
        given, metric = pairs_of(
            subject, inputs.pairs, inputs.task, settings.metric, settings.n_pairs, inputs.seed
        )
        prepared = prepare_circuit(
            subject,
            replace(settings, metric=metric),
            pairs=given,
            files=files,
            seed=inputs.seed,
            device=device,
        )
        expect([*prepared.claim_names, *_of_run(subject)])
        require_same_outputs(subject, given, inputs.seed, device)
        note(console, prepared.plan)
        with phases(console) as tell:
            return _with_notes(prepared.run(tell), subject)


def _with_notes(result: R, subject: Studied) -> R:
    """A result that warns of what is to be known of how its model was read, and claims whether its
    run has ended.
    """
    claims = {**result.claims, **_of_run(subject)}
    return replace(result, claims=claims, warnings=(*subject.notes, *result.warnings))


def _of_run(subject: Studied) -> dict[str, bool]:
    """What is claimed of the run that a model is of, if it is the last of one."""
    return underway.claimed(subject.run_ended if isinstance(subject, Subject) else None)
