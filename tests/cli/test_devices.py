"""Commands on a device that has no float64 and may compute wrong."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mitool.core import agreement, operators
from mitool.storage import checkpoint
from tests.cli.conftest import QUICK, Invoke
from tests.cli.tree import CONTEXTS, name_of
from tests.fake_device import fake_mps, reads_as_contiguous, scales, untried

PRODUCTS = reads_as_contiguous("mm", "addmm", "bmm", "baddbmm")
pytestmark = pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")

ON_MPS = ("--device", "mps", "--format", "html", "-o", "out")

TRAININGS = {
    "a toy": ("train", "modadd", *QUICK),
    "a toy, by batches": ("train", "modadd", *QUICK, "--batch-size", "4", "--optimizer", "sgd"),
    "a stream": (
        *("train", "min", "--epochs", "1", "--batch-size", "8", "--eval-size", "16"),
        *("--d-model", "8", "--n-heads", "2", "--n-layers", "2", "--max-value", "9"),
    ),
    "superposition": ("superpose", "intro", "--steps", "3", "--batch-size", "32"),
    "monosemanticity": (
        *("superpose", "mono", "--N", "8", "--m", "4", "--k", "8", "--log2-training-steps", "2"),
    ),
}
STUDIES = {
    "patch": ("patch", "run"),
    "edges": ("patch", "run", "--edge", "L0H0->logits"),
    "circuit": ("analyze", "circuit", "run", "--method", "eap"),
}


@pytest.fixture
def run_on_mps(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    untried(monkeypatch)
    invoke("train", "modadd", *QUICK, "--device", "cpu", "-o", "run")
    return invoke


@pytest.mark.parametrize("arguments", TRAININGS.values(), ids=TRAININGS)
def test_a_training_on_a_device_that_computes_wrong_is_refused_before_anything_is_written(
    arguments: tuple[str, ...], invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    untried(monkeypatch)
    with fake_mps(PRODUCTS):
        done = invoke(*arguments, *ON_MPS)
    assert done.exit_code == 1
    assert "device mps: expected the first step of the training as the CPU gives it" in done.stderr
    assert "use --device cpu, or another version of torch" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", TRAININGS.values(), ids=TRAININGS)
def test_a_training_on_a_device_without_float64_is_the_cpus(
    arguments: tuple[str, ...], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    untried(monkeypatch)
    with fake_mps():
        done = invoke(*arguments, *ON_MPS)
    assert done.exit_code == 0, done.stderr
    assert invoke(*arguments, *ON_MPS[2:-1], "cpu", "--device", "cpu").exit_code == 0
    ours, theirs = (checkpoint.load(Path(name))[0] for name in ("out", "cpu"))
    assert max(map(_difference, ours.values(), theirs.values())) < 1e-4


def _difference(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.mark.parametrize("arguments", STUDIES.values(), ids=STUDIES)
def test_a_study_on_a_device_that_computes_wrong_is_refused_before_anything_is_written(
    arguments: tuple[str, ...], run_on_mps: Invoke, tmp_path: Path
) -> None:
    with fake_mps(PRODUCTS):
        done = run_on_mps(*arguments, *ON_MPS)
    assert done.exit_code == 1
    assert "device mps: expected the model's outputs on the first prompts" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", STUDIES.values(), ids=STUDIES)
def test_a_study_on_a_device_without_float64_is_the_cpus(
    arguments: tuple[str, ...], run_on_mps: Invoke
) -> None:
    with fake_mps():
        done = run_on_mps(*arguments, *ON_MPS)
    assert done.exit_code == 0, done.stderr
    run_on_mps(*arguments, "--device", "cpu", "--format", "html", "-o", "cpu")
    ours, theirs = (_numbers(Path(name)) for name in ("out", "cpu"))
    assert ours == pytest.approx(theirs, abs=1e-4)


def _numbers(folder: Path) -> dict[str, float]:
    claims = json.loads((folder / "result.json").read_text())["claims"]
    return {name: value for name, value in claims.items() if isinstance(value, float)}


def test_a_run_that_would_be_replaced_is_left(run_on_mps: Invoke) -> None:
    before = checkpoint.load(Path("run"))[0]
    with fake_mps(PRODUCTS):
        done = run_on_mps("train", "modadd", *QUICK, *ON_MPS[:-1], "run", "--overwrite")
    assert done.exit_code == 1
    after = checkpoint.load(Path("run"))[0]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_resumed_run_is_held_against_the_cpu_at_its_own_weights(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    untried(monkeypatch)
    losses: list[float] = []
    real = agreement.disagreements

    def seen(device: object, compute: agreement.Compute) -> object:
        losses.append(compute(torch.device("cpu"), torch.float32)["the loss"].item())
        return real(device, compute)

    monkeypatch.setattr(agreement, "disagreements", seen)
    with fake_mps():
        assert invoke("train", "modadd", *QUICK, *ON_MPS).exit_code == 0
        more = [("9" if word == "6" else word) for word in QUICK]
        assert invoke("train", "modadd", *more, *ON_MPS, "--resume").exit_code == 0
    assert len(losses) == 2
    assert losses[1] < losses[0]


def test_doctor_says_of_each_device_whether_it_computes_as_the_cpu(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chrome")
    few = tuple(operator for operator in operators.OPERATORS if operator.name == "gelu")
    monkeypatch.setattr(operators, "OPERATORS", few)
    with fake_mps(scales("gelu_backward", 1.1)):
        document = json.loads(invoke("doctor", "--json").stdout)
    assert document["claims"]["agreement.cpu"] == "ok"
    said = document["claims"]["agreement.mps"]
    assert said.startswith("gelu of contiguous operand: the gradient of operand 1 differs by 0.1 ")
    warned = next(text for text in document["warnings"] if "device mps" in text)
    assert "in a toy transformer the gradient of blocks." in warned
    assert "device mps computes otherwise than the CPU" in warned
    with fake_mps():
        sound = json.loads(invoke("doctor", "--json").stdout)["claims"]
    assert sound["agreement.mps"] == "ok"


def test_every_command_that_takes_a_device_is_tried_here() -> None:
    taking = {
        name_of(context)
        for context in CONTEXTS
        if any("--device" in parameter.opts for parameter in context.command.params)
    }
    tried = {" ".join(words[:2]) for words in (*TRAININGS.values(), *STUDIES.values())}
    tried |= {"patch", "superpose mono"}
    others = {name for name in taking if not name.startswith(("train ", "superpose "))}
    assert others <= tried, "give each an example above"
