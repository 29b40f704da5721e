"""Going on from the middle of a run comes to what a run from the start would."""

import pytest
import torch

from mitool.analysis.interventions import batches
from mitool.analysis.interventions.batches import Budget, Judged, judge_variants
from mitool.analysis.interventions.restart import Entry, Restart
from mitool.analysis.metrics import METRICS
from tests.analysis.interventions.models import both, pairs, toy
from tests.huggingface.random_models import random_model

EXACT = {"rtol": 0.0, "atol": 1e-11}


@pytest.mark.parametrize("direction", ["causal", "bidirectional"])
@pytest.mark.parametrize("answers", [(5,), (0, 2, 4)])
def test_the_other_runs_stream_leads_to_its_logits(
    direction: str, answers: tuple[int, ...]
) -> None:
    given = pairs(differ=(1, 3), answers=answers)
    decoder, clean, corrupted = both(toy(attention_dir=direction), given)
    restart = Restart(decoder, corrupted, answers)
    start = 1 if direction == "causal" else 0  # nothing differs before, where nothing looks ahead
    for layer in range(decoder.n_layers + 1):
        stream = clean.resid_pre(layer)[None, :, start:]
        logits = restart.logits(Entry(layer, "pre", start, stream))
        torch.testing.assert_close(logits[0], clean.logits, **EXACT)
        if layer < decoder.n_layers:
            stream = clean.layers[layer].resid_mid[None, :, start:]
            logits = restart.logits(Entry(layer, "mid", start, stream))
            torch.testing.assert_close(logits[0], clean.logits, **EXACT)


KINDS = {"gptj": 0, "bloom": 0, "mpt": 0, "falcon": 3, "gemma2": 1, "olmo2": 1, "olmo3": 0}
KINDS |= {
    "gpt_oss": 0,
    "stablelm": 0,
    "cohere": 0,
    "opt": 1,
    "granite": 0,
    "mixtral": 0,
    "llama": 0,
}
"""Architectures, each with the number of a variant of it."""


@pytest.mark.usefixtures("exact_norms")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answers", [(5,), (2, 4)])
def test_it_does_so_in_every_architecture(kind: str, answers: tuple[int, ...]) -> None:
    given = pairs(n=2, differ=(2,), answers=answers)
    decoder, clean, corrupted = both(random_model(kind, KINDS[kind]), given)
    restart = Restart(decoder, corrupted, answers)
    for layer in range(decoder.n_layers + 1):
        stream = torch.stack([run.resid_pre(layer)[:, 2:] for run in (clean, corrupted)])
        logits = restart.logits(Entry(layer, "pre", 2, stream))
        torch.testing.assert_close(logits, torch.stack([clean.logits, corrupted.logits]), **EXACT)
        if layer < decoder.n_layers and not decoder.is_parallel:
            stream = clean.layers[layer].resid_mid[None, :, 2:]
            logits = restart.logits(Entry(layer, "mid", 2, stream))
            torch.testing.assert_close(logits[0], clean.logits, **EXACT)


def test_a_change_behind_every_answer_changes_none() -> None:
    given = pairs(answers=(2,))
    decoder, _, corrupted = both(toy(), given)
    restart = Restart(decoder, corrupted, (2,))
    stream = torch.randn(3, len(given), 3, decoder.d_model, dtype=torch.float64)
    for layer in range(decoder.n_layers + 1):
        logits = restart.logits(Entry(layer, "pre", 3, stream))
        assert logits.shape == (3, *corrupted.logits.shape)
        torch.testing.assert_close(logits[1], corrupted.logits, **EXACT)


def _judge(budget: Budget, n: int = 40) -> torch.Tensor:
    """Variants of the stream before the last block, each changed from another position on."""
    given = pairs()
    decoder, clean, corrupted = both(toy(), given)
    restart = Restart(decoder, corrupted, (5,))

    def entry(variants: list[int]) -> Entry:
        start = min(v % 6 for v in variants)
        stream = corrupted.resid_pre(1)[:, start:].repeat(len(variants), 1, 1, 1)
        for own, variant in zip(stream, variants, strict=True):
            own[:, variant % 6 - start] += variant
        return Entry(1, "pre", start, stream)

    return judge_variants(
        restart,
        Judged(given, METRICS["logit-diff"], clean.logits),
        list(range(n)),
        kind=lambda variant: variant % 2,
        start=lambda variant: variant % 6,
        entry=entry,
        budget=budget,
    )


def test_batches_of_any_size_give_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _judge(Budget(2**30))
    torch.testing.assert_close(_judge(Budget(1)), whole, **EXACT)
    monkeypatch.setattr(batches, "SMALL", 0)
    torch.testing.assert_close(_judge(Budget(2**20)), whole, **EXACT)


def test_out_of_memory_halves_the_batch_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, own, sizes = _judge(Budget(2**30)), Restart.logits, list[int]()

    def short_of_memory(restart: Restart, entry: Entry, tokens: torch.Tensor) -> torch.Tensor:
        sizes.append(len(entry.stream))
        if len(entry.stream) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..")
        return own(restart, entry, tokens)

    monkeypatch.setattr(Restart, "logits", short_of_memory)
    budget = Budget(2**30)
    torch.testing.assert_close(_judge(budget), whole, **EXACT)
    assert sizes[:4] == [20, 10, 5, 2]
    assert sum(size for size in sizes if size <= 3) == 40
    assert len(sizes) < 40  # variants that start later are smaller, so that more of them are tried


def test_a_variant_that_does_not_fit_alone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(restart: Restart, entry: Entry, tokens: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Restart, "logits", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        _judge(Budget(2**30))
