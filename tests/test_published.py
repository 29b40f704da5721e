"""The published trainings, whole: `make test-slow`, about an hour on two cores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitool.analysis.attention import analyze_attention
from mitool.analysis.fourier import analyze_fourier
from mitool.core.device import resolve
from mitool.models.subject import load
from mitool.tasks.digits import Digits
from mitool.tasks.induction import Induction
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd
from mitool.training import RunConfig, train

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_addition_mod_113_groks(tmp_path: Path, seed: int) -> None:
    """TransformerLens's Grokking_Demo ends at a test loss of 2.03e-7 after 25 000 epochs."""
    config = RunConfig(ModAdd(), ModAdd.model, ModAdd.training, resolve("cpu"), seed=seed)
    claims = train(config, tmp_path).claims
    assert claims["test_accuracy"] == 1.0
    assert isinstance(claims["test_loss"], float)
    assert claims["test_loss"] <= 1e-6
    assert claims["epochs"] == 25_000
    found: dict[str, Any] = dict(analyze_fourier(load(tmp_path)).claims)
    assert found["logit_variance_explained"] >= 0.95
    assert found["accuracy_only_key_frequencies"] == 1.0
    assert found["accuracy_without_key_frequencies"] < 0.05
    assert found["formula_accuracy"] == 1.0


def test_min_of_two_integers_reaches_the_published_accuracy(tmp_path: Path) -> None:
    """The min-of-two-ints problem reports 99.825 %."""
    config = RunConfig(Min(), Min.model, Min.training, resolve("cpu"))
    accuracy = train(config, tmp_path).claims["test_accuracy"]
    assert isinstance(accuracy, float)
    assert accuracy >= 0.998


@pytest.mark.parametrize("digits", [2, 3, 5])
def test_addition_digit_by_digit_is_learned(tmp_path: Path, digits: int) -> None:
    training = replace(Digits.training, epochs=40_000, lr=1e-3, schedule="linear")
    config = RunConfig(Digits(digits=digits), Digits.model, training, resolve("cpu"))
    accuracy = train(config, tmp_path).claims["test_sequence_accuracy"]
    assert isinstance(accuracy, float)
    assert accuracy >= 0.99


def test_induction_heads_form_and_are_named(tmp_path: Path) -> None:
    """The published run is at a loss of 0.326 after 6 000 steps."""
    config = RunConfig(Induction(), Induction.model, Induction.training, resolve("cpu"))
    loss = train(config, tmp_path).claims["test_loss"]
    assert isinstance(loss, float)
    assert loss <= 0.326
    verdicts = analyze_attention(load(tmp_path)).verdicts
    assert any("is a previous-token head" in line for line in verdicts[:4])
    assert any("is an induction head" in line for line in verdicts[4:])
