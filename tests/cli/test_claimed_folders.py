"""A folder that holds a result is told of before a model is loaded."""

from pathlib import Path

import pytest

from mitool.models import subject as subjects
from tests.analysis.attention.models import tiny_llama
from tests.cli.conftest import QUICK, Invoke

STUDIES = {
    "attn": ["analyze", "attn"],
    "circuit": ["analyze", "circuit"],
    "patch": ["patch"],
    "fourier": ["analyze", "fourier"],
}
FEW = {"circuit": ["--n-pairs", "4"], "patch": ["--n-pairs", "4", "--resamples", "100"]}


@pytest.mark.parametrize("study", STUDIES)
def test_of_a_run(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, study: str) -> None:
    assert invoke("train", "modadd", *QUICK, "-o", "run").exit_code == 0
    words = [*STUDIES[study], "run", *FEW.get(study, []), "--format", "html"]
    first = invoke(*words)
    assert first.exit_code == 0, first.stderr
    before = (Path("run") / study / "result.json").read_bytes()

    def loaded(*arguments: object) -> None:
        pytest.fail("the model was loaded first")

    monkeypatch.setattr(subjects, "load", loaded)
    done = invoke(*words)
    assert done.exit_code == 2
    assert f"run/{study}: already holds a result; replace it with --overwrite" in done.stderr
    assert (Path("run") / study / "result.json").read_bytes() == before


@pytest.mark.parametrize("study", [name for name in STUDIES if name != "fourier"])
def test_of_a_pretrained_model(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, study: str) -> None:
    tiny_llama(Path("llama"))
    folder = Path(f"runs/llama-{study}")
    folder.mkdir(parents=True)
    (folder / "result.json").write_text('{"mitool": "0.1.0", "claims": {}}')
    done = invoke(*STUDIES[study], "llama")
    assert done.exit_code == 2
    assert f"{folder}: already holds a result" in done.stderr


@pytest.mark.parametrize("study", STUDIES)
def test_a_model_that_is_missing_leaves_no_folder(invoke: Invoke, study: str) -> None:
    done = invoke(*STUDIES[study], "missing.safetensors")
    assert done.exit_code == 3
    assert "missing.safetensors: no such file" in done.stderr
    assert list(Path().iterdir()) == []
