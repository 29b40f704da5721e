"""What is loaded, planted or converted is a model to look into."""

from pathlib import Path

import pytest
import torch

import mitool
from tests.api.conftest import HERE, files_of
from tests.cli.conftest import Invoke


def test_a_model_knows_its_task_and_its_tokens(run: mitool.Run) -> None:
    model = mitool.load(run.checkpoints[0])
    assert model.metadata.epoch < run.metadata.epoch == 6
    assert model.task.d_vocab == 6
    assert model.encode("3 4 =").tolist() == [3, 4, 5]
    assert model.label(5) == "="
    logits = model.bridge(model.task.examples().tokens)
    assert logits.shape[:2] == (25, 3)
    assert repr(mitool.load(run.folder)) == (
        f"Model({str(run.folder)!r}: modadd (p = 5, op = add, frac_train = 0.3); n_layers 1, "
        "n_heads 2, d_model 8, epoch 6)"
    )


@pytest.mark.parametrize("name", ["none", "none/at/all", "folder", "broken.safetensors"])
def test_what_is_no_model_is_an_input_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("broken.safetensors").write_bytes(b"broken")
    with pytest.raises(mitool.InputError, match=name):
        mitool.load(name)


def test_toy_models_are_studied_as_the_command_studies_them(invoke: Invoke, tmp_path: Path) -> None:
    with pytest.raises(mitool.UsageError, match=r"^`n_instances` 3 and `sparsity` '0,0.5': "):
        mitool.superpose("intro", steps=2, n_instances=3, sparsity="0,0.5", out="toys", **HERE)
    trained = mitool.superpose("intro", steps=2, sparsity="0,0.5,0.9", out="toys", **HERE)
    assert {"ckpt.safetensors", "arrays.safetensors", "report.html"} <= files_of(
        trained.folder
    ).keys()
    toys = mitool.load("toys")
    assert isinstance(toys, mitool.ToyModels)
    assert repr(toys) == "ToyModels('toys': superposition (intro), step 2)"
    found = toys.study("geometry")
    found.save()
    assert found.folder == Path("toys/geometry")
    invoke("superpose", "geometry", "--from", "toys", "-o", "cli", "--format", "html")
    arrays = (Path(folder) / "arrays.safetensors" for folder in ("toys/geometry", "cli"))
    assert len({path.read_bytes() for path in arrays}) == 1
    for wrong in (lambda: toys.fourier(**HERE), lambda: toys.bridge):
        with pytest.raises(mitool.InputError, match="found a superposition; its `study"):
            wrong()
    assert toys.study().claims == {**trained.claims, "run_ended": True}


def test_models_of_monosemanticity_are_trained_and_studied(tmp_path: Path) -> None:
    sizes = {"N": 4, "m": 2, "k": 4, "log2_batch_size": 2, "log2_training_steps": 1}
    axes = {"learning_rate": [0.001, 0.003]}
    found = mitool.monosemanticity(sweep=axes, out=tmp_path / "mono", **sizes, **HERE)
    assert found.claims["learning_rate"] == [0.001, 0.003]
    toys = mitool.load(tmp_path / "mono")
    assert isinstance(toys, mitool.ToyModels)
    assert toys.study().claims == {**found.claims, "run_ended": True}
    with pytest.raises(mitool.UsageError, match="models of monosemanticity have none"):
        toys.study("intro")


def test_a_planted_model_comes_with_its_truth(tmp_path: Path) -> None:
    model = mitool.plant("copy", out=tmp_path / "copy")
    assert {"ckpt.safetensors", "pairs.csv", "truth.txt", "result.json"} == files_of(
        model.folder
    ).keys()
    found = model.circuit(
        pairs=model.pairs_file, truth=model.truth_file, method="exact", n_pairs=8,
        edges=len(model.truth), random_circuits=0, **HERE,
    )  # fmt: skip
    assert found.claims["recall"] == 1.0
    assert "planted" in repr(model)
    with pytest.raises(mitool.UsageError, match="`overwrite=True`"):
        mitool.plant("copy", out=tmp_path / "copy")


def test_a_bridge_converts_back_to_the_same_model(run: mitool.Run, tmp_path: Path) -> None:
    torch.save(run.bridge.state_dict(), tmp_path / "bridge.pt")
    model = mitool.convert(tmp_path / "bridge.pt", "modadd", p=5, n_heads=2, threads=1)
    assert model.path == tmp_path / "bridge.safetensors"
    assert model.claims["n_heads"] == 2
    tokens = run.task.examples().tokens
    torch.testing.assert_close(model.bridge(tokens), run.bridge(tokens))
    with pytest.raises(mitool.UsageError, match="is there already; replace it with `overwrite"):
        mitool.convert(tmp_path / "bridge.pt", "modadd", p=5, n_heads=2)
    with pytest.raises(mitool.UsageError, match="did you mean 'n_heads'"):
        mitool.convert(tmp_path / "bridge.pt", "modadd", n_head=2)
