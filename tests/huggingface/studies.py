"""Studies of models that others made, whose numbers are held against the models themselves."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from mitool.analysis.attention import analyze_attention
from mitool.analysis.circuits import analyze_circuit
from mitool.analysis.patching import patch
from mitool.core.errors import InputError
from mitool.core.node_names import published
from mitool.models.pretrained import Pretrained, load_pretrained
from mitool.settings import CircuitSettings, PatchSettings
from tests.huggingface.hooked import (
    activations,
    direct_attribution,
    eap_scores,
    logits_of,
    patched_logits,
)
from tests.huggingface.random_models import Pair, random_model, random_pairs, save, write_pairs

CLOSE = 1e-4
"""The largest error of a number, as a share of the largest of its kind, where that is above 1."""


def study_and_compare(
    kind: str, seed: int, studies: Sequence[str], lengths: Sequence[int], folder: Path
) -> dict[str, str | None]:
    """Save a random model, read it, study it, and hold each number against the model's own.

    Returns:
        For each study None, or why it was refused.

    Raises:
        AssertionError: a number is off.
    """
    model, pairs = random_model(kind, seed), random_pairs(seed, lengths)
    file = write_pairs(folder / "pairs.csv", pairs)
    found: dict[str, str | None] = {}
    subject = load_pretrained(save(model, folder))
    for study in studies:
        try:
            STUDIES[study](subject, model, pairs, file)
            found[study] = None
        except InputError as refusal:
            found[study] = str(refusal)
    return found


def patched(subject: Pretrained, model: PreTrainedModel, pairs: Sequence[Pair], file: Path) -> None:
    """The metric of each pair in both runs, and with one head of each layer patched."""
    settings = PatchSettings(resamples=100, direction="noise")
    found = patch(subject, settings, pairs=file, sites=["z"]).arrays()
    for number, pair in enumerate(pairs):
        clean, corrupted = pair.clean[None], pair.corrupted[None]
        own = {
            name: logits_of(model, side)
            for name, side in (("clean", clean), ("corrupted", corrupted))
        }
        for name, logits in own.items():
            same({name: found[name][number].item()}, {name: difference(logits, pair)})
        z = activations(model, corrupted).z
        for layer in range(subject.shape.n_layers):
            head = random.Random(f"{file} {layer}").randrange(subject.shape.n_heads)
            logits = patched_logits(model, clean, layer, "z", z[layer, :, :, head], head)
            value = found["z.metric_by_pair"][layer, head, number].item()
            same({"z": value}, {"z": difference(logits, pair)})


def attributed(
    subject: Pretrained, model: PreTrainedModel, pairs: Sequence[Pair], file: Path
) -> None:
    """What each head adds to the answer by itself, as a mean over pairs."""
    claims = analyze_attention(subject, pairs=file).claims
    own: dict[str, float] = {}
    for pair in pairs:
        shares = direct_attribution(model, pair.clean[None], pair.right, pair.wrong)
        for name, share in shares.items():
            own[name] = own.get(name, 0.0) + share.item() / len(pairs)
    shape, found = subject.shape, {}
    for layer in range(shape.n_layers):
        for head in range(shape.n_heads):
            claim = claims[f"L{layer}H{head}.direct_logit_attribution"]
            assert isinstance(claim, float)
            found[f"a{layer}.h{head}"] = claim
    same(found, own)


def scored(subject: Pretrained, model: PreTrainedModel, pairs: Sequence[Pair], file: Path) -> None:
    """The scores of all edges by EAP: the decrease of what the corrupted run decreases."""
    settings = CircuitSettings(
        method="eap", edges=5, random_circuits=0, minimality=0, resamples=100
    )
    found = analyze_circuit(subject, settings, pairs=file).found
    assert found.scores is not None
    gap = sum(
        difference(logits_of(model, pair.clean[None]), pair)
        - difference(logits_of(model, pair.corrupted[None]), pair)
        for pair in pairs
    )
    own = {
        edge: math.copysign(score, score * gap) for edge, score in eap_scores(model, pairs).items()
    }
    names = map(published, found.units.names)
    same(dict(zip(names, found.scores.tolist(), strict=True)), own)


Study = Callable[[Pretrained, PreTrainedModel, Sequence[Pair], Path], None]
STUDIES: dict[str, Study] = {"patch": patched, "attn": attributed, "circuit": scored}


def difference(logits: torch.Tensor, pair: Pair) -> float:
    last = logits[0, -1]
    return (last[pair.right] - last[pair.wrong]).item()


def same(found: Mapping[str, float], own: Mapping[str, float]) -> None:
    """Check numbers that go by the same names."""
    allowed = CLOSE * max(1.0, *map(abs, own.values()))
    errors = {name: abs(value - own[name]) for name, value in found.items()}
    assert max(errors.values()) <= allowed, max(errors, key=lambda name: errors[name])
