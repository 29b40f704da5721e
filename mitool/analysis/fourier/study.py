"""The Fourier analysis of a subject, from its weights to the formula."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from mitool.analysis.fourier.attention import head_patterns
from mitool.analysis.fourier.basis import operand_basis
from mitool.analysis.fourier.claims import claims_of, warnings_of
from mitool.analysis.fourier.embedding import embedding_spectrum
from mitool.analysis.fourier.form import CyclicForm, cyclic_form
from mitool.analysis.fourier.formula import extract
from mitool.analysis.fourier.grid import grid_spectrum
from mitool.analysis.fourier.identity import trig_identity
from mitool.analysis.fourier.interventions import (
    ONLY_LOGITS,
    ONLY_MAP,
    ONLY_NEURONS,
    UNCHANGED,
    WITHOUT_LOGITS,
    WITHOUT_NEURONS,
    LogitTests,
    NeuronTests,
    Outcome,
    without,
)
from mitool.analysis.fourier.logits import SumDirections, fit_cosines
from mitool.analysis.fourier.neurons import NeuronSpectrum, neuron_spectrum
from mitool.analysis.fourier.observe import Observation, Pairs, in_float64, observe, pairs_of
from mitool.analysis.fourier.phases import Phases, find_phases
from mitool.analysis.fourier.progress import Measures, measure
from mitool.analysis.fourier.result import FourierResult, FourierStudy
from mitool.core.config import as_dict
from mitool.core.device import GIB, Device, exact
from mitool.core.errors import InputError, RunError
from mitool.models.subject import Subject, load
from mitool.models.transformer import ToyTransformer
from mitool.settings import FourierSettings

Observer = Callable[[int, int], object]
"""Told how many checkpoints are done, and of how many."""

WORKSPACE = 2**30
"""Bytes beside the activations of all pairs: their transforms, some columns at a time."""


def analyze_fourier(
    subject: Subject,
    settings: FourierSettings | None = None,
    *,
    checkpoints: Sequence[Path] = (),
    device: Device | None = None,
    observer: Observer = lambda done, total: None,
) -> FourierResult:
    """Analyse a model of modular arithmetic; the arithmetic is done in float64 on the CPU.

    Args:
        checkpoints: of its training, in the order of their epochs: their progress measures are
            taken for the key frequencies of ``subject``.
        device: for its threads.

    Raises:
        InputError: the subject, or a checkpoint, is of another task.
        UsageError: its task is no addition in any coordinate.
        RunError: memory does not suffice.
    """
    settings = settings or FourierSettings()
    device = device or exact()
    form = cyclic_form(subject.task, subject.path)
    _require_memory(subject.model, form, device)
    with device.active(), torch.no_grad():
        pairs = pairs_of(subject.task, form, subject.training_examples())
        study = _study(subject, settings, pairs, checkpoints, observer)
    record = subject.describe() | {"checkpoints": len(study.progress) or 1}
    config = as_dict(settings) | device.describe()
    claims = claims_of(study, subject.task, settings)
    return FourierResult(record, config, claims, study, warnings=warnings_of(study))


def _study(
    subject: Subject,
    settings: FourierSettings,
    pairs: Pairs,
    checkpoints: Sequence[Path],
    observer: Observer,
) -> FourierStudy:
    form, division = pairs.form, pairs.division
    model = in_float64(subject.model)
    bases = operand_basis(form.phases_a, form.order), operand_basis(form.phases_b, form.order)
    seen = observe(model, pairs)
    directions = SumDirections(form.sums.flatten(), form.order)
    fit = fit_cosines(seen.logits, directions)
    keys = fit.key_frequencies(settings.threshold)
    neurons = None
    if seen.neurons is not None:
        neurons = neuron_spectrum(seen.neurons, model, form, bases)
    logits = grid_spectrum(seen.logits, bases)
    progress = _progress(subject, checkpoints, pairs, keys, observer)
    return FourierStudy(
        own=Outcome(division.means(seen.losses), division.means(seen.is_right)),
        form=form,
        bases=bases,
        embedding=embedding_spectrum(model.embed.W_E, form),
        heads=head_patterns(seen.patterns, bases),
        neurons=neurons,
        examples_of=_examples(neurons, seen, form, settings),
        logits=logits,
        fit=fit,
        key_frequencies=tuple(keys),
        identities={k: trig_identity(k, logits, neurons) for k in keys},
        outcomes=_outcomes(model, seen, pairs, directions, keys) if keys else {},
        formula=extract(fit, keys, form, seen.logits) if keys else None,
        progress=progress,
        phases=find_phases(progress) if keys and progress else Phases(),
    )


def _progress(
    subject: Subject,
    checkpoints: Sequence[Path],
    pairs: Pairs,
    keys: Sequence[int],
    observer: Observer,
) -> tuple[Measures, ...]:
    measures = []
    for done, path in enumerate(checkpoints, start=1):
        other = load(path, type(subject.task))
        if other.task != subject.task:
            raise InputError(
                f"{path}: expected a checkpoint of {subject.task}, as {subject.path} is, found "
                f"one of {other.task}"
            )
        measures.append(measure(other.model, other.metadata.epoch, pairs, keys))
        observer(done, len(checkpoints))
    return tuple(measures)


def _examples(
    neurons: NeuronSpectrum | None,
    seen: Observation,
    form: CyclicForm,
    settings: FourierSettings,
) -> dict[int, tuple[int, Tensor]]:
    if neurons is None or seen.neurons is None:
        return {}
    best = {
        k: int(neurons.cluster(k)[0]) for k in neurons.key_frequencies(settings.neuron_threshold)
    }
    shape = form.sums.shape
    return {k: (index, seen.neurons[:, index].unflatten(0, shape)) for k, index in best.items()}


def _outcomes(
    model: ToyTransformer,
    seen: Observation,
    pairs: Pairs,
    directions: SumDirections,
    keys: Sequence[int],
) -> dict[str, Outcome]:
    """Every causal test, named as it is shown."""
    on_logits = LogitTests(seen.logits, directions, pairs.covered_division)
    outcomes = {
        UNCHANGED: on_logits.unchanged(),
        ONLY_LOGITS: on_logits.only(keys),
        WITHOUT_LOGITS: on_logits.without(keys),
    }
    outcomes |= {without(k): on_logits.without([k]) for k in keys}
    if seen.neurons is not None:
        on_neurons = NeuronTests(model, seen, pairs, directions)
        outcomes |= {
            ONLY_NEURONS: on_neurons.only(keys),
            WITHOUT_NEURONS: on_neurons.without(keys),
        }
        if (reduced := on_neurons.map_only(keys)) is not None:
            outcomes[ONLY_MAP] = reduced
    return outcomes


def _require_memory(model: ToyTransformer, form: CyclicForm, device: Device) -> None:
    """Check that the logits, neurons and patterns of all pairs fit into free memory.

    Raises:
        RunError: they do not.
    """
    cfg = model.cfg
    a_pair = (
        form.order + (0 if cfg.attn_only else cfg.d_mlp) + cfg.n_layers * cfg.n_heads * cfg.n_ctx
    )
    needed = 8 * len(form.operands) ** 2 * a_pair + WORKSPACE
    if needed > (free := device.free_memory()):
        raise RunError(
            f"the analysis of all pairs needs about {needed / GIB:z.1f} GiB and {free / GIB:z.1f} "
            "GiB is free: analyse a model of a smaller p, or on a larger machine"
        )
