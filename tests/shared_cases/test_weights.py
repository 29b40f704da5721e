"""Weights that are missing, or under other names."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from mitool.cli.main import app
from tests.shared_cases.truth import (
    CASES,
    WHOLE,
    Run,
    document,
    whole_llama,
)


def test_prefixes_of_wrappers_are_taken_off_weights(run: Run) -> None:
    done = document(run("patch", "missing-weights/miss_ddp"))
    assert done["claims"]["clean_metric"] == pytest.approx(WHOLE, abs=1e-4)
    assert done["claims"]["clean_metric"] == pytest.approx(whole_llama(), abs=1e-5)


@pytest.mark.parametrize(
    ("folder", "named"),
    [
        ("miss_head", ["lm_head.weight"]),
        ("miss_layer", ["model.layers.1.self_attn.q_proj.weight", "model.layers.1.mlp"]),
        ("seqcls", ["LlamaForSequenceClassification"]),
    ],
)
def test_no_study_is_of_weights_that_are_not_there(run: Run, folder: str, named: list[str]) -> None:
    done = run("patch", f"missing-weights/{folder}")
    assert done.exit_code == 3
    for name in named:
        assert name in done.stderr


def test_the_weights_that_are_not_there_are_what_the_files_lack() -> None:
    whole = set(load_file(CASES / "pair-columns/llama/model.safetensors"))
    folders = CASES / "missing-weights"
    found = {
        name: set(load_file(folders / name / "model.safetensors"))
        for name in ("miss_head", "miss_layer", "miss_ddp")
    }
    assert whole - found["miss_head"] == {"lm_head.weight"}
    assert len(whole - found["miss_layer"]) == 9
    assert found["miss_ddp"] == {f"module.{name}" for name in whole}


@pytest.mark.parametrize("name", ["ddp", "lightning", "copies_of_W_E"])
def test_state_dicts_under_other_names_are_the_same_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--task", "modadd", "--p", "5", "--act-fn", "relu")
    for file in ("plain", name):
        words = ["convert", str(CASES / f"state-dicts/{file}.pt"), *options]
        done = CliRunner().invoke(app, [*words, "-o", f"{file}.safetensors"])
        assert done.exit_code == 0, done.stderr
    plain, other = (load_file(f"{file}.safetensors") for file in ("plain", name))
    assert plain.keys() == other.keys()
    assert all(torch.equal(plain[key], other[key]) for key in plain)
    given = torch.load(CASES / "state-dicts/plain.pt", weights_only=True)
    assert torch.equal(other["embed.W_E"], given["embed.W_E"])
