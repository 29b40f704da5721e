"""Every claim on models whose weights are set by hand, against closed forms."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mitool.analysis.fourier import analyze_fourier
from mitool.analysis.fourier.form import cyclic_form
from mitool.tasks.modadd import ModAdd
from tests.analysis.fourier.handset import exact_logits, subject_of, trig_model

TERMS = {3: (1.1, 6.0), 7: (1.0, 5.0), 11: (0.9, 4.0)}
BIAS = 1e-3
"""Decides the answer where the key frequencies are removed, and nothing else is left."""

TASKS = [
    ModAdd(p=29),
    ModAdd(p=29, op="subtract"),
    ModAdd(p=29, op="multiply"),
    ModAdd(p=24),
    ModAdd(p=35, op="subtract"),
]


def label(task: ModAdd) -> str:
    return f"{task.op}-{task.p}"


@pytest.fixture(scope="module", params=TASKS, ids=label)
def case(request: pytest.FixtureRequest) -> tuple[ModAdd, dict[str, Any], Tensor]:
    task = request.param
    result = analyze_fourier(subject_of(trig_model(task, TERMS, BIAS), task))
    return task, dict(result.claims), exact_logits(task, TERMS, BIAS)


def cross_entropy(logits: Tensor, answers: Tensor) -> Tensor:
    chosen = logits[torch.arange(len(logits)), answers]
    return logits.exp().sum(dim=1).log() - chosen


def mean_absolute_difference(values: Tensor) -> float:
    """The Gini coefficient by its first definition."""
    differences = (values[:, None] - values[None, :]).abs().sum()
    return (differences / (2 * len(values) * values.sum())).item()


def test_the_three_sets_of_key_frequencies(case: tuple[ModAdd, dict[str, Any], Tensor]) -> None:
    _, claims, _ = case
    for where in ("embedding", "neurons", "logits"):
        assert claims[f"key_frequencies_{where}"] == [3, 7, 11]
    assert claims["neurons_single_frequency_fraction"] == 1.0


def test_shares_of_variance(case: tuple[ModAdd, dict[str, Any], Tensor]) -> None:
    task, claims, logits = case
    n = cyclic_form(task).order
    of_bias = BIAS**2 * (1 / n - 1 / n**2)
    squares = [coefficient**2 / 2 for _, coefficient in TERMS.values()]
    total = sum(squares) + of_bias
    centred = logits - logits.mean(dim=1, keepdim=True)
    assert centred.square().mean().item() == pytest.approx(total)
    assert claims["logit_variance_explained"] == pytest.approx(sum(squares) / total, abs=1e-8)
    expected = [square / total for square in squares]
    assert claims["logit_variance_by_frequency"] == pytest.approx(expected, abs=1e-7)
    assert claims["logit_variance_of_output_bias"] == pytest.approx(of_bias / total, rel=1e-3)
    assert claims["embedding_variance_in_key_frequencies"] == pytest.approx(1, abs=1e-9)
    cosine = sum(c for _, c in TERMS.values()) / math.sqrt(3 * 2 * total)
    assert claims["cosine_to_ideal"] == pytest.approx(cosine, abs=1e-7)


def test_ginis(case: tuple[ModAdd, dict[str, Any], Tensor]) -> None:
    task, claims, _ = case
    n = cyclic_form(task).order
    embedding, written = torch.zeros(n), torch.zeros(n)
    for k, (amplitude, coefficient) in TERMS.items():
        embedding[[2 * k - 1, 2 * k]] = amplitude
        written[[2 * k - 1, 2 * k]] = coefficient
    written[0] = 0
    assert claims["gini_embedding"] == pytest.approx(mean_absolute_difference(embedding), abs=1e-6)
    assert claims["gini_neuron_logit"] == pytest.approx(mean_absolute_difference(written), abs=1e-6)


def test_causal_tests(case: tuple[ModAdd, dict[str, Any], Tensor]) -> None:
    task, claims, logits = case
    form = cyclic_form(task)
    answers = form.sums.flatten()
    losses = cross_entropy(logits, answers)
    split = task.split(0).indices(task.p**2)[0]
    covered = (form.operands[:, None] * task.p + form.operands).flatten()
    is_train = torch.isin(covered, split)
    only_bias = torch.zeros(len(answers), form.order, dtype=torch.float64)
    only_bias[:, 0] = BIAS
    without = cross_entropy(only_bias, answers)
    parts = {"train": is_train, "test": ~is_train, "all": torch.ones_like(is_train)}
    for part, chosen in parts.items():
        kept, removed = losses[chosen].mean().item(), without[chosen].mean().item()
        for where in ("", "neuron_"):
            assert claims[f"{where}restricted_loss_{part}"] == pytest.approx(kept, rel=1e-5)
            assert claims[f"{where}excluded_loss_{part}"] == pytest.approx(removed, rel=1e-6)
    assert claims["neuron_logit_map_restricted_loss_all"] == pytest.approx(
        losses.mean().item(), rel=1e-2
    )
    assert claims["accuracy_only_key_frequencies"] == 1.0
    of_first = (answers == 0).double().mean().item()
    assert claims["accuracy_without_key_frequencies"] == pytest.approx(of_first)
    if task.op != "multiply":  # which also has pairs with a 0
        assert claims["loss_train"] == pytest.approx(losses[is_train].mean().item(), rel=1e-5)
        assert claims["loss_test"] == pytest.approx(losses[~is_train].mean().item(), rel=1e-5)
        assert claims["accuracy_all"] == claims["accuracy_test"] == 1.0


def test_the_formula(case: tuple[ModAdd, dict[str, Any], Tensor]) -> None:
    _, claims, logits = case
    assert claims["formula_accuracy"] == claims["formula_agreement"] == 1.0
    plain = exact_logits(ModAdd(p=29), TERMS, 0.0) if logits.shape[1] == 29 else None
    if plain is not None:
        exact = cross_entropy(plain, cyclic_form(ModAdd(p=29)).sums.flatten())
        assert claims["formula_loss"] == pytest.approx(exact.mean().item(), rel=1e-6)
    assert claims["formula"].startswith("logit(c | a, b) = 6 cos(3w(")
