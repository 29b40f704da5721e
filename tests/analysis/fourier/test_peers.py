"""A real modular-addition run in the layout of the original grokking notebook."""

from pathlib import Path

import pytest

from mitool.analysis.fourier.form import cyclic_form
from mitool.analysis.fourier.interventions import LogitTests
from mitool.analysis.fourier.logits import SumDirections, fit_cosines
from mitool.analysis.fourier.observe import Division, observe, pairs_of
from mitool.models.subject import load
from mitool.settings import ConversionSettings, FourierSettings
from mitool.tasks.modadd import ModAdd
from mitool.training.conversion import convert

PEER = Path(__file__).parents[4] / "shared/data/peers/low_precision_mod_addition.pth"
pytestmark = pytest.mark.skipif(not PEER.exists(), reason="the peers' models are not here")


def test_the_peers_frequencies_bias_and_losses(tmp_path: Path) -> None:
    task = ModAdd()
    form = cyclic_form(task)
    converted = convert(PEER, task, ConversionSettings(split="python", split_seed=1))
    converted.save(tmp_path / "peer.safetensors")
    subject = load(tmp_path / "peer.safetensors")
    asked = pairs_of(task, form, subject.training_examples())
    seen = observe(subject.model.double().requires_grad_(False), asked)
    # 3.045e-4, 3.995e-3 and 99.92 % are what the run's own record says of it
    losses, accuracy = asked.division.means(seen.losses), asked.division.means(seen.is_right)
    assert losses["train"] == pytest.approx(3.045e-4, rel=1e-3)
    assert losses["test"] == pytest.approx(3.995e-3, rel=1e-3)
    assert accuracy["test"] == pytest.approx(0.9992, abs=5e-5)
    directions = SumDirections(form.sums.flatten(), form.order)
    fit = fit_cosines(seen.logits, directions)
    keys = fit.key_frequencies(FourierSettings().threshold)
    assert keys[:3] == [23, 6, 39]
    assert fit.share(keys) == pytest.approx(0.47, abs=0.01)
    assert fit.bias_share == pytest.approx(0.25, abs=0.01)
    tests = LogitTests(seen.logits, directions, Division(None))
    assert tests.only(keys).accuracy["all"] == 1.0
