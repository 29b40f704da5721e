"""``mitool analyze attn`` by its command line."""

import json
import os
from pathlib import Path

import pytest
import torch

from mitool.analysis.attention import analyze_attention
from mitool.models.subject import open_model
from mitool.storage import checkpoint
from tests.analysis.attention.models import tiny_llama
from tests.cli.conftest import Invoke

TRAIN = ("train", "min", "--max-value", "5", "--epochs", "2", "--d-model", "8", "--format", "html")


@pytest.fixture
def run(invoke: Invoke) -> Path:
    assert invoke(*TRAIN, "-o", "run").exit_code == 0
    return Path("run")


def test_a_run_ends_with_a_table_of_heads_and_their_verdicts(invoke: Invoke, run: Path) -> None:
    done = invoke("analyze", "attn", "run", "--format", "html")
    assert done.exit_code == 0, done.stderr
    assert "OV top-1" in done.stdout
    assert done.stdout.count("L0H0 ") == 2
    folder = run / "attn"
    document = json.loads((folder / "result.json").read_text())
    assert document["command"] == "analyze attn"
    claims = analyze_attention(open_model("run")).claims
    assert document["claims"] == {**claims, "run_ended": True}
    assert str(document["claims"]["L0H0.verdict"]) in done.stdout
    arrays, _ = checkpoint.read_tensors(folder / "arrays.safetensors")
    assert arrays["mean_attention"].shape == (1, 1, 1, 3)
    assert "L0H0" in (folder / "report.html").read_text()
    again = invoke("analyze", "attn", "run", "--format", "html")
    assert again.exit_code == 2
    assert "already holds a result" in again.stderr


def test_prompts_and_checks(invoke: Invoke, run: Path) -> None:
    command = ["analyze", "attn", "run", "--prompt", "4 2 =", "--prompt", "1 3 =", "--json", "-q"]
    done = invoke(*command, "--check", "L0H0.entropy <= 2", "--format", "html", "-o", "a")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["config"]["prompts"] == ["4 2 =", "1 3 ="]
    missed = invoke(*command, "--check", "L0H0.entropy < 0", "--format", "html", "-o", "b")
    assert missed.exit_code == 4


def test_a_hugging_face_folder(invoke: Invoke) -> None:
    tiny_llama(Path("llama"))
    Path("pairs.csv").write_text("clean,corrupted\nw0 w1,w0 w2\n")
    command = ["analyze", "attn", "llama", "--pairs", "pairs.csv", "--format", "html"]
    done = invoke(*command)
    assert done.exit_code == 0, done.stderr
    assert Path("runs/llama-attn/report.html").exists()
    assert "L1H3" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere.safetensors",), 3, "no such file"),
        (("no/such/folder/deep",), 3, "no such file"),
        (("run", "--pairs", "nowhere.csv"), 3, "nowhere.csv: cannot be read"),
        (("run", "--prompt", "7 7 ="), 2, "found '7'"),
        (("run", "--prompt", "1 1 =", "--pairs", "p.csv"), 2, "exclude each other"),
        (("run", "--check", "L0H0.entropi < 1"), 2, "did you mean 'L0H0.entropy'"),
        (("run", "--shown", "0"), 2, "1 <= shown <= 16, found 0"),
        (("run", "--format", "pdf"), 2, "found 'pdf'"),
        (("run", "--threads", "0"), 2, "threads"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    invoke: Invoke, run: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = invoke("analyze", "attn", *arguments)
    assert done.exit_code == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run / "attn").exists()


def test_a_name_that_cannot_be_downloaded_says_how_to_get_it(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    done = invoke("analyze", "attn", "nobody/nothing")
    assert done.exit_code == 3
    assert "no such file or folder" in done.stderr
    assert "(Name or service not known)" in done.stderr
    assert "hf download nobody/nothing --local-dir DIR" in done.stderr


class Hostile:
    """A pickle of this runs a command as it is read."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch was-run",)


def test_a_hostile_folder_runs_nothing(invoke: Invoke) -> None:
    folder = tiny_llama(Path("llama"))
    (folder / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": Hostile()}, folder / "pytorch_model.bin")
    done = invoke("analyze", "attn", "llama")
    assert done.exit_code == 3
    assert "llama/pytorch_model.bin: refused: it holds more than tensors" in done.stderr
    assert not Path("was-run").exists()


def test_a_damaged_folder_is_one_message(invoke: Invoke) -> None:
    folder = tiny_llama(Path("llama"))
    (folder / "model.safetensors").write_bytes(b"{")
    done = invoke("analyze", "attn", "llama")
    assert done.exit_code == 3
    assert "llama/model.safetensors: expected a safetensors file; found it damaged" in done.stderr
    assert not Path("runs").exists()
