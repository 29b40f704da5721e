"""A search computes where it says that it does."""

from pathlib import Path

import pytest
import torch

from mitool import planted
from mitool.analysis.circuits import CircuitResult, CircuitSearch, analyze_circuit
from mitool.analysis.patching import Patching, PatchResult, patch
from mitool.core.device import Device
from mitool.models.subject import load
from mitool.settings import CircuitSettings, PatchSettings


def test_the_device_that_is_recorded_is_the_one_that_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, bool]] = []
    run = CircuitSearch.run

    def watched(search: CircuitSearch) -> CircuitResult:
        seen.append((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        return run(search)

    monkeypatch.setattr(CircuitSearch, "run", watched)
    planted.plant("xor").save(tmp_path)
    settings = CircuitSettings(resamples=100, random_circuits=1)
    before = torch.get_num_threads()
    device = Device("cpu", threads=before + 1, deterministic=True)
    result = analyze_circuit(
        load(tmp_path), settings, pairs=tmp_path / planted.base.PAIRS, device=device
    )
    assert (result.config["threads"], result.config["deterministic"]) == (before + 1, True)
    assert seen == [(before + 1, True)]
    assert torch.get_num_threads() == before


def test_that_of_patching_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    run = Patching.run

    def watched(patching: Patching) -> PatchResult:
        seen.append(torch.get_num_threads())
        return run(patching)

    monkeypatch.setattr(Patching, "run", watched)
    planted.plant("xor").save(tmp_path)
    before = torch.get_num_threads()
    device = Device("cpu", threads=before + 1)
    pairs = tmp_path / planted.base.PAIRS
    patch(load(tmp_path), PatchSettings(resamples=100), pairs=pairs, sites=["z"], device=device)
    assert seen == [before + 1]
    assert torch.get_num_threads() == before
