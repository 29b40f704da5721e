"""The training of a model: features, LAMB, schedule and bias decay, beside a reference that does
it step by step.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mitool.models.monosemanticity import FeatureMLP
from mitool.settings.monosemanticity import MonosemanticitySettings
from mitool.training.monosemanticity import model_config
from mitool.training.monosemanticity.trainer import (
    Examples,
    Trainer,
    densities,
    draw,
    learning_rate,
)
from tests.training.monosemanticity.sweeps import TINY

BETAS, EPS, CLAMP = (0.9, 0.999), 1e-6, 10.0


def reference(settings: MonosemanticitySettings, seed: int, n_steps: int) -> dict[str, Tensor]:
    """The weights after some steps, in float64 and with nothing of the project's but the features
    and the first weights: LAMB is version 3 of You et al. 2020, without bias correction.
    """
    model = FeatureMLP.initialised(model_config(settings), seed, settings.initial_bias).double()
    examples = Examples(settings, seed)
    weights = dict(model.named_parameters())
    first = {name: torch.zeros_like(w) for name, w in weights.items()}
    second = {name: torch.zeros_like(w) for name, w in weights.items()}
    for step in range(n_steps):
        x = examples[step].double()
        target = x.abs() if settings.task == "abs" else x
        if model.W_P is not None:
            target = x @ model.W_P
        hidden = torch.relu(x @ model.W_E @ weights["W_in"] + weights["b_in"])
        output = hidden @ weights["W_out"]
        loss = (output - target).pow(2).sum(1).mean()
        loss = loss + settings.reg * hidden.abs().sum(1).mean()
        gradients = torch.autograd.grad(loss, [*weights.values()])
        rate = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.half_period))
        with torch.no_grad():
            for (name, w), gradient in zip(weights.items(), gradients, strict=True):
                first[name] = BETAS[0] * first[name] + (1 - BETAS[0]) * gradient
                second[name] = BETAS[1] * second[name] + (1 - BETAS[1]) * gradient**2
                update = first[name] / (second[name].sqrt() + EPS)
                w.sub_(rate * min(w.norm().item(), CLAMP) / update.norm() * update)
            if step < settings.steps / 2:
                weights["b_in"].mul_(1 - settings.decay * settings.learning_rate)
    return {name: w.detach() for name, w in weights.items()}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"decay": 3.0, "initial_bias": -1.0, "log2_training_steps": 5},
        {"reg": 0.01, "sample_kind": "power-law"},
        {"task": "abs"},
        {"task": "reproject", "learning_rate": 0.02},
    ],
    ids=str,
)
def test_training_is_the_references_step_by_step(changed: dict[str, Any]) -> None:
    settings = replace(TINY, **changed)
    model = FeatureMLP.initialised(model_config(settings), 1, settings.initial_bias)
    trainer = Trainer(model, settings, seed=1)
    for n_steps in (1, 7, 32):
        trainer.train(0 if n_steps == 1 else {7: 1, 32: 7}[n_steps], n_steps)
        expected = reference(settings, 1, n_steps)
        for name, weight in model.named_parameters():
            torch.testing.assert_close(weight.double(), expected[name], rtol=2e-4, atol=2e-5)


def test_the_learning_rate_is_torchs_cosine_that_goes_on() -> None:
    settings = replace(TINY, learning_rate=0.01, half_period=10)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10, eta_min=0)
    for step in range(45):
        expected = schedule.get_last_lr()[0]
        assert learning_rate(settings, step) == pytest.approx(expected, abs=1e-12)
        optimizer.step()
        schedule.step()
    assert learning_rate(settings, 10) == pytest.approx(0)
    assert learning_rate(settings, 20) == pytest.approx(0.01)


def test_the_bias_decays_in_the_first_half_alone() -> None:
    # no feature is ever on, so that nothing but decay changes the biases
    settings = replace(TINY, decay=5.0, eps=1e-15, log2_training_steps=4, initial_bias=-1.0)
    model = FeatureMLP.initialised(model_config(settings), 0, settings.initial_bias)
    with torch.no_grad():
        model.b_in.fill_(-1)
    trainer = Trainer(model, settings, seed=0)
    factor = 1 - settings.decay * settings.learning_rate
    for step in range(settings.steps):
        trainer.train(step, step + 1)
        decays = min(step + 1, settings.steps // 2)
        assert model.b_in.tolist() == pytest.approx([-(factor**decays)] * settings.k, rel=1e-5)


def test_frequencies_follow_the_power_law_with_the_same_mean() -> None:
    settings = replace(TINY, N=64, eps=0.05, sample_kind="power-law")
    found = densities(settings)
    np.testing.assert_allclose(found[1:] / found[:-1], (np.arange(1, 64) / np.arange(2, 65)) ** 1.1)
    assert found.mean() == pytest.approx(0.05)
    capped = densities(replace(settings, eps=0.3))
    assert capped[0] == 1
    assert capped.max() == 1
    assert (densities(replace(settings, sample_kind="equal")) == 0.05).all()


@pytest.mark.parametrize("kind", ["equal", "power-law"])
@pytest.mark.parametrize("task", ["decoder", "abs"])
def test_features_are_as_frequent_and_as_large_as_they_should_be(kind: str, task: str) -> None:
    settings = replace(TINY, N=12, eps=0.15, sample_kind=kind, task=task)
    n = 40_000
    x = draw(n, settings, 0, "test")
    expected = densities(settings)
    if task == "abs":  # at least one of two, each half as often not 0
        expected = 1 - (1 - expected / 2) ** 2
    share = (x != 0).double().mean(dim=0).numpy()
    np.testing.assert_allclose(share, expected, atol=5 * 0.5 / n**0.5)
    sizes = x[x != 0].abs()
    assert sizes.min() > 0
    assert sizes.max() <= 1
    assert (x < 0).any() == (task == "abs")
    if task == "decoder":
        assert sizes.mean().item() == pytest.approx(0.5, abs=0.01)
    else:
        assert (x > 0).double().mean().item() == pytest.approx(
            (x < 0).double().mean().item(), abs=0.01
        )


def test_examples_depend_on_the_seed_and_the_step_alone() -> None:
    first, again = Examples(TINY, 0), Examples(TINY, 0)
    third = first[3].clone()
    assert torch.equal(third, again[3])
    assert not torch.equal(third, first[4])
    assert not torch.equal(third, Examples(TINY, 1)[3])
    assert torch.equal(Examples(replace(TINY, learning_rate=0.01), 0)[3], third)
