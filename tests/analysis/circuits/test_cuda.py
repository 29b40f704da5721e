"""Circuits on a GPU are those on the CPU."""

from pathlib import Path

import pytest
import torch

from mitool import planted
from mitool.analysis.circuits import analyze_circuit
from mitool.core.device import available, exact, resolve
from mitool.models.subject import load
from mitool.settings import CircuitSettings

pytestmark = pytest.mark.skipif("cuda:0" not in available(), reason="there is no CUDA device")


@pytest.mark.parametrize("method", ["eap", "eap-ig", "eap-ig-activations", "exact", "acdc"])
def test_scores_and_tests_are_the_same(tmp_path: Path, method: str) -> None:
    planted.plant("xor").save(tmp_path)
    chosen = CircuitSettings(method=method, edges=5, audit=20, resamples=100)
    found = [
        analyze_circuit(load(tmp_path), chosen, pairs=tmp_path / planted.base.PAIRS, device=device)
        for device in (exact(), resolve("cuda", "float64"))
    ]
    ours, theirs = (result.found.scores for result in found)
    assert ours is not None
    assert theirs is not None
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    for name, value in found[0].claims.items():
        assert found[1].claims[name] == pytest.approx(value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("level", ["node", "neuron"])
def test_every_level_runs(tmp_path: Path, level: str) -> None:
    planted.plant("xor").save(tmp_path)
    chosen = CircuitSettings(level=level, method="exact", fraction=0.1, resamples=100)
    pairs = tmp_path / planted.base.PAIRS
    result = analyze_circuit(load(tmp_path), chosen, pairs=pairs, device=resolve("cuda"))
    assert result.claims["faithfulness"] is not None
