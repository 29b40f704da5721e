import contextlib
import json
import signal
from pathlib import Path

import pytest

from mitool.cli.train import parse_seeds
from tests.cli.conftest import QUICK, Invoke


def test_an_error_after_a_signal_that_a_library_dropped_is_the_signals(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        raise RecursionError("of what is half loaded")

    monkeypatch.setattr("mitool.tasks.names", fail)
    done = invoke("tasks")
    assert done.exit_code == 143
    assert "interrupted by SIGTERM" in done.stderr


def test_train_takes_every_setting(invoke: Invoke) -> None:
    done = invoke(
        *("train", "min", "--k", "3", "--max-value", "3", "--op", "max", "--frac-train", "0.7"),
        *("--epochs", "4", "--lr", "0.01", "--weight-decay", "0.1", "--betas", "0.8", "0.9"),
        *("--batch-size", "8", "--eval-every", "2", "--checkpoint-every", "2", "--warmup", "3"),
        *("--n-layers", "2", "--n-heads", "2", "--d-model", "8", "--d-head", "5", "--d-mlp", "9"),
        *("--act-fn", "solu", "--no-attn-only", "--normalization-type", "RMS", "--biases", "all"),
        *("--positional", "learned", "--attention-dir", "bidirectional", "--init-scale", "0.5"),
        *("--optimizer", "adam", "--dtype", "float64", "--threads", "1", "--seed", "5"),
        *("--split-seed", "7", "--deterministic", "--format", "html", "--json", "-o", "run"),
    )
    assert done.exit_code == 0, done.stderr
    config = json.loads(done.stdout)["config"]
    assert config["task"]["parameters"] == {
        "k": 3,
        "max_value": 3,
        "op": "max",
        "frac_train": 0.7,
    }
    assert config["model"] == {
        "n_layers": 2,
        "n_heads": 2,
        "d_model": 8,
        "d_head": 5,
        "d_mlp": 9,
        "act_fn": "solu",
        "normalization_type": "RMS",
        "attn_only": False,
        "biases": "all",
        "positional": "learned",
        "attention_dir": "bidirectional",
        "init_scale": 0.5,
    }
    assert config["training"]["betas"] == [0.8, 0.9]
    assert config["training"]["warmup"] == 3
    assert config["device"] == {
        "device": "cpu",
        "dtype": "float64",
        "threads": 1,
        "deterministic": True,
    }
    assert (config["seed"], config["split_seed"]) == (5, 7)
    steps = sorted(int(path.stem) for path in Path("run/checkpoints").iterdir())
    assert steps == [0, 12, 24]  # 44 of 64 examples train, in 6 batches an epoch


def test_seeds_have_folders_reports_and_claims(invoke: Invoke) -> None:
    done = invoke("train", "modadd", *QUICK, "--seeds", "0-1", "-o", "run", "--json")
    assert done.exit_code == 0, done.stderr
    claims = json.loads(done.stdout)["claims"]
    for seed in (0, 1):
        own = json.loads(Path(f"run/seed{seed}/result.json").read_text())["claims"]
        assert claims[f"seed{seed}.test_loss"] == own["test_loss"]
        assert Path(f"run/seed{seed}/report.html").exists()
    assert Path("run/report.html").exists()
    again = invoke("train", "modadd", *QUICK, "--seeds", "2-3", "-o", "run")
    assert again.exit_code == 2
    assert (
        invoke("train", "modadd", *QUICK, "--seeds", "0-2", "-o", "run", "--resume").exit_code == 0
    )


@pytest.mark.parametrize("seeds", [(), ("--seeds", "0-1")])
def test_a_check_on_an_unknown_claim_is_refused_before_the_training(
    invoke: Invoke, seeds: tuple[str, ...]
) -> None:
    refused = invoke("train", "modadd", *QUICK, *seeds, "-o", "run", "--check", "test_los < 9")
    assert refused.exit_code == 2
    assert "no claim is named 'test_los'" in refused.stderr
    assert not Path("run").exists()
    name = "*.test_loss" if seeds else "test_loss"
    done = invoke("train", "modadd", *QUICK, *seeds, "-o", "run", "--check", f"{name} < 99")
    assert done.exit_code == 0


def test_seed_and_seeds_exclude_each_other(invoke: Invoke) -> None:
    assert invoke("train", "modadd", *QUICK, "--seed", "1", "--seeds", "0-1").exit_code == 2


def test_a_single_run_and_a_folder_of_seeds_do_not_mix(invoke: Invoke) -> None:
    invoke("train", "modadd", *QUICK, "-o", "one")
    invoke("train", "modadd", *QUICK, "--seeds", "0-1", "-o", "several")
    before = Path("one/result.json").read_text(), Path("several/result.json").read_text()
    mixed = invoke("train", "modadd", *QUICK, "--seeds", "0-1", "-o", "one", "--resume")
    assert mixed.exit_code == 2
    assert "seed was 0, asked [0, 1]" in mixed.stderr
    mixed = invoke("train", "modadd", *QUICK, "-o", "several", "--resume")
    assert mixed.exit_code == 2
    fewer = invoke("train", "modadd", *QUICK, "--seeds", "0,4", "-o", "several", "--resume")
    assert fewer.exit_code == 2
    after = Path("one/result.json").read_text(), Path("several/result.json").read_text()
    assert after == before


def test_inspect_reads_runs_and_their_checkpoints(invoke: Invoke) -> None:
    invoke("train", "modadd", *QUICK, "--eval-every", "3", "--checkpoint-every", "3", "-o", "run")
    last = json.loads(invoke("inspect", "run", "--json").stdout)
    assert last["claims"]["task"] == "modadd"
    assert last["claims"]["p"] == 5
    assert last["claims"]["epoch"] == 6
    metrics = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert last["claims"]["test_loss"] == metrics[-1]["test_loss"]
    middle = invoke("inspect", "run/checkpoints/00000003.safetensors", "--json")
    assert json.loads(middle.stdout)["claims"]["test_loss"] == metrics[1]["test_loss"]
    assert last["subject"]["weights"]["embed.W_E"]["shape"] == [6, 8]
    assert last["config"]["model"]["d_vocab_out"] == 5
    shown = invoke("inspect", "run").stdout
    for word in ("embed.W_E", "6 x 8", "frozen", "training.lr", "model.act_fn"):
        assert word in shown


def test_tasks_are_listed_with_parameters_and_sources(invoke: Invoke) -> None:
    shown = invoke("tasks").stdout
    for word in ("modadd", "--p 113", "min", "--max-value 199", "arXiv 2301.05217"):
        assert word in shown
    listed = json.loads(invoke("tasks", "--json").stdout)["subject"]["tasks"]
    assert listed["modadd"]["parameters"]["p"]["default"] == 113
    assert listed["modadd"]["training"]["epochs"] == 25_000


def test_doctor_says_what_works_and_what_to_do(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chrome")
    done = invoke("doctor", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert document["claims"]["images"] is False
    assert document["claims"]["default_device"] in ("cpu", "cuda:0")
    assert any("apt-get install" in warning for warning in document["warnings"])
    assert invoke("doctor", "--check", "images == true").exit_code == 4


def test_tensorboard_logs_every_evaluation(invoke: Invoke) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    invoke("train", "modadd", *QUICK, "--eval-every", "3", "--tensorboard", "-o", "run")
    log = EventAccumulator("run/tensorboard")
    log.Reload()
    assert [event.step for event in log.Scalars("loss/test")] == [0, 3, 6]


@pytest.mark.parametrize(
    ("text", "seeds"), [("0-4", [0, 1, 2, 3, 4]), ("0,3,7", [0, 3, 7]), ("1-2, 9", [1, 2, 9])]
)
def test_seeds_are_ranges_and_lists(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds
