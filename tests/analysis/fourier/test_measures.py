"""Measures on random values, against their definitions written out slowly."""

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mitool.analysis.fourier import analyze_fourier
from mitool.analysis.fourier.basis import operand_basis
from mitool.analysis.fourier.form import CyclicForm, cyclic_form
from mitool.analysis.fourier.grid import grid_spectrum
from mitool.analysis.fourier.interventions import LogitTests
from mitool.analysis.fourier.logits import SumDirections, fit_cosines
from mitool.analysis.fourier.observe import Division
from mitool.core.errors import InputError
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.settings import FourierSettings
from mitool.tasks.modadd import ModAdd
from tests.analysis.fourier.handset import subject_of

FORMS = [
    cyclic_form(task)
    for task in (
        ModAdd(p=7),
        ModAdd(p=8),
        ModAdd(p=7, op="subtract"),
        ModAdd(p=7, op="multiply"),
        ModAdd(p=7, op="square-sum"),
        ModAdd(p=8, op="square-sum"),
    )
]
names = pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.difference} {form.order}")


def random_logits(form: CyclicForm, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    n_pairs = len(form.operands) ** 2
    return torch.randn(n_pairs, form.order, generator=generator, dtype=torch.float64)


def wave(kind: str, k: int, phase: int, n: int) -> float:
    return getattr(math, kind)(2 * math.pi * k * phase / n)


def regression(features: Tensor, values: Tensor) -> Tensor:
    """What least squares on ``features`` [row, feature] makes of ``values`` [row, column]."""
    return features @ torch.linalg.pinv(features) @ values


@names
def test_cosine_fit_is_least_squares(form: CyclicForm) -> None:
    logits, n = random_logits(form), form.order
    logits[:, 0] += 2
    centred = logits - logits.mean(dim=1, keepdim=True)
    sums = form.sums.flatten().tolist()
    features = torch.tensor(
        [[wave("cos", k, s - c, n) for k in range(1, n // 2 + 1)] for s in sums for c in range(n)],
        dtype=torch.float64,
    )
    expected = torch.linalg.lstsq(features, centred.flatten()[:, None]).solution[:, 0]
    fit = fit_cosines(logits, SumDirections(form.sums.flatten(), n))
    torch.testing.assert_close(fit.coefficients, expected)
    total = centred.square().sum().item()
    for k in range(1, n // 2 + 1):
        one = features[:, k - 1 : k]
        explained = regression(one, centred.flatten()[:, None]).square().sum().item()
        assert fit.shares[k - 1].item() == pytest.approx(explained / total)
    means = centred.mean(dim=0)
    torch.testing.assert_close(fit.output_means, means)
    assert fit.bias_share == pytest.approx(len(sums) * means.square().sum().item() / total)
    left = centred.flatten()[:, None] - regression(features, centred.flatten()[:, None])
    every = range(1, n // 2 + 1)
    assert fit.residual_rms(every) == pytest.approx(left.square().mean().sqrt().item())
    ideal = features.sum(dim=1)
    cosine = torch.nn.functional.cosine_similarity(ideal, centred.flatten(), dim=0).item()
    assert fit.cosine_to_ideal(every) == pytest.approx(cosine)
    for t in range(n):
        at_t = [centred[pair, (s - t) % n].item() for pair, s in enumerate(sums)]
        assert fit.by_difference[t].item() == pytest.approx(sum(at_t) / len(at_t))


@names
@pytest.mark.parametrize("keys", [[2], [1, 3]])
def test_restricted_and_excluded_are_projections(form: CyclicForm, keys: list[int]) -> None:
    """On (cos cos - sin sin) and (sin cos + cos sin) of the operands, taken apart for once."""
    logits, n = random_logits(form), form.order
    pairs = list(itertools.product(form.phases_a.tolist(), form.phases_b.tolist()))
    columns = [[1.0] * len(pairs)]
    for k in keys:
        cos_a, cos_b = ([wave("cos", k, pair[i], n) for pair in pairs] for i in (0, 1))
        sin_a, sin_b = ([wave("sin", k, pair[i], n) for pair in pairs] for i in (0, 1))
        four = list(zip(cos_a, cos_b, sin_a, sin_b, strict=True))
        columns.append([ca * cb - sa * sb for ca, cb, sa, sb in four])
        columns.append([sa * cb + ca * sb for ca, cb, sa, sb in four])
    features = torch.tensor(columns, dtype=torch.float64).T
    kept = regression(features, logits)
    mean = logits.mean(dim=0)
    answers = form.sums.flatten()
    is_train = torch.arange(len(pairs)) % 3 == 0
    tests = LogitTests(logits, SumDirections(answers, n), Division(is_train))
    for outcome, changed in (
        (tests.only(keys), kept),
        (tests.without(keys), logits - kept + mean),
        (tests.unchanged(), logits),
    ):
        losses = torch.nn.functional.cross_entropy(changed, answers, reduction="none")
        right = (changed.argmax(dim=1) == answers).double()
        for part, chosen in (("train", is_train), ("test", ~is_train), ("all", is_train | True)):
            assert outcome.loss[part] == pytest.approx(losses[chosen].mean().item())
            assert outcome.accuracy[part] == pytest.approx(right[chosen].mean().item())


@names
def test_shares_of_a_column_are_those_of_its_eight_terms(form: CyclicForm) -> None:
    values, n = random_logits(form), form.order
    values[:, 1] = 3.0  # which never changes
    bases = operand_basis(form.phases_a, n), operand_basis(form.phases_b, n)
    spectrum = grid_spectrum(values, bases)
    pairs = list(itertools.product(form.phases_a.tolist(), form.phases_b.tolist()))
    centred = values - values.mean(dim=0)
    for k in range(1, n // 2 + 1):
        columns = [[1.0] * len(pairs)]
        for kind in ("cos", "sin"):
            columns += [[wave(kind, k, pair[i], n) for pair in pairs] for i in (0, 1)]
            columns += [
                [wave(kind, k, a, n) * wave(other, k, b, n) for a, b in pairs]
                for other in ("cos", "sin")
            ]
        explained = regression(torch.tensor(columns, dtype=torch.float64).T, centred)
        expected = explained.square().sum(dim=0) / centred.square().sum(dim=0)
        expected[1] = 0
        torch.testing.assert_close(spectrum.shares[k - 1], expected)


def test_columns_are_transformed_alike_however_they_are_chunked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = FORMS[0]
    values = random_logits(form)
    bases = operand_basis(form.phases_a, 7), operand_basis(form.phases_b, 7)
    whole = grid_spectrum(values, bases)
    monkeypatch.setattr("mitool.analysis.fourier.grid.CHUNK", 1)
    parts = grid_spectrum(values, bases)
    for name in ("norms", "products", "shares"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))


def test_a_random_model_has_no_key_frequency() -> None:
    task = ModAdd(p=29)
    cfg = TransformerConfig.for_task(task.model, task)
    model = ToyTransformer(cfg).initialise(torch.Generator().manual_seed(0))
    result = analyze_fourier(subject_of(model, task))
    claims: dict[str, Any] = dict(result.claims)
    assert claims["key_frequencies_logits"] == []
    assert claims["key_frequencies_embedding"] == []
    assert claims["key_frequencies_neurons"] == []
    assert claims["accuracy_all"] < 0.1
    undefined = [name for name, value in claims.items() if value is None]
    assert {"logit_variance_explained", "restricted_loss_all", "formula_accuracy"} <= set(undefined)
    assert any("has not grokked" in warning for warning in result.warnings)
    assert result.study.formula is None
    assert result.documents() == {}


@pytest.mark.parametrize(("scale", "part"), [(1e37, "logits"), (math.nan, "logits")])
def test_a_model_whose_numbers_cannot_be_squared_is_refused(scale: float, part: str) -> None:
    task = ModAdd(p=7)
    cfg = TransformerConfig.for_task(task.model, task)
    model = ToyTransformer(cfg).initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(scale)
    with pytest.raises(InputError, match=f"expected {part} that are finite and below"):
        analyze_fourier(subject_of(model, task))


def test_an_attention_only_model_is_analysed_without_neurons() -> None:
    task = ModAdd(p=7)
    cfg = TransformerConfig.for_task(replace(task.model, attn_only=True), task)
    model = ToyTransformer(cfg).initialise(torch.Generator().manual_seed(0))
    result = analyze_fourier(
        subject_of(model, task, split_seed=None), FourierSettings(threshold=1e-12)
    )
    claims = result.claims
    assert claims["key_frequencies_neurons"] is None
    assert claims["restricted_loss_all"] is not None
    assert claims["restricted_loss_train"] is None
    assert any("no MLP" in warning for warning in result.warnings)
    assert any("which pairs trained" in warning for warning in result.warnings)
