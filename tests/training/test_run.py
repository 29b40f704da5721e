import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool import rundir
from mitool.checkpoint import read_tensors
from mitool.device import Device, resolve
from mitool.errors import InputError, Interrupted, RunError, UsageError
from mitool.settings import ModelSettings
from mitool.subject import load
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd
from mitool.training import Evaluation, RunConfig, run_name, train, train_seeds
from mitool.training.memory import step_bytes

SMALL = ModelSettings(n_heads=2, d_model=16)


def config(epochs: int = 40, device: Device | None = None, **training: Any) -> RunConfig:
    return RunConfig(
        task=ModAdd(p=7, frac_train=0.5),
        model=SMALL,
        training=replace(
            ModAdd.training,
            **{"epochs": epochs, "eval_every": 5, "checkpoint_every": 10, **training},
        ),
        device=device or resolve("cpu", threads=1),
    )


STREAM = replace(
    config(batch_size=16, eval_size=64),
    task=Min(k=9, max_value=9),
    model=replace(SMALL, n_layers=2),
)
MINIBATCH = config(batch_size=10, warmup=20)
RUNS = {
    "full batch": config(),
    "minibatch": MINIBATCH,
    "stream": STREAM,
    "sgd": config(optimizer="sgd", momentum=0.9, lr=0.1, weight_decay=0.0),
    "float64": config(device=resolve("cpu", dtype="float64", threads=1)),
}


class StopAt:
    """Sends SIGTERM to this process once an epoch is done."""

    def __init__(self, epoch: int, signum: int = signal.SIGTERM) -> None:
        self.epoch = epoch
        self.signum = signum

    def epoch_done(self, epoch: int) -> None:
        if epoch == self.epoch:
            os.kill(os.getpid(), self.signum)

    def evaluated(self, evaluation: Evaluation) -> None: ...


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_tensors(folder / rundir.CHECKPOINT)[0]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_leaves_what_the_design_says(tmp_path: Path) -> None:
    result = train(config(), tmp_path / "run")
    assert result.claims["epochs"] == 40
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("config.json", "metrics.jsonl", "ckpt.safetensors", "resume.safetensors"),
        *("checkpoints", ".lock"),
    }
    steps = [int(path.stem) for path in sorted((tmp_path / "run" / "checkpoints").iterdir())]
    assert steps == [0, 10, 20, 30, 40]
    lines = rundir.read_lines(tmp_path / "run" / "metrics.jsonl")
    assert [line["epoch"] for line in lines] == list(range(0, 41, 5))
    assert result.claims["test_loss"] == lines[-1]["test_loss"]
    subject = load(tmp_path / "run")
    assert (subject.task, subject.metadata.step) == (ModAdd(p=7, frac_train=0.5), 40)
    assert subject.metadata.split == {"method": "torch", "frac_train": 0.5, "seed": 0}


def test_training_lowers_the_loss_as_a_plain_loop_does(tmp_path: Path) -> None:
    """The textbook loop, with autograd over the bridge's own forward, is the slow twin."""
    import torch.nn.functional as F

    from mitool.device import generator
    from mitool.models.bridge import to_bridge
    from mitool.models.transformer import ToyTransformer, TransformerConfig

    double = resolve("cpu", dtype="float64", threads=1)
    run = config(epochs=12, device=double)
    train(run, tmp_path / "run")
    model = ToyTransformer(TransformerConfig.for_task(run.model, run.task))
    bridge = to_bridge(model.initialise(generator(0, "init")).double())
    for name, parameter in bridge.named_parameters():
        parameter.requires_grad_(not name.endswith(".bias"))
    trained = [p for p in bridge.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=1.0, betas=(0.9, 0.98))
    examples, (chosen, _) = run.task.examples(), run.task.split(0).indices(49)  # type: ignore[union-attr]
    for _ in range(12):
        optimizer.zero_grad()
        logits = bridge(examples.tokens[chosen])[:, -1]
        F.cross_entropy(logits, examples.targets[chosen, 0]).backward()
        optimizer.step()
    expected = bridge(examples.tokens)[:, -1]
    found = load(tmp_path / "run").model.logits(examples.tokens, (2,))[:, 0]
    assert torch.allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("kind", RUNS)
def test_the_same_seed_gives_the_same_bits(tmp_path: Path, kind: str) -> None:
    train(RUNS[kind], tmp_path / "a")
    train(RUNS[kind], tmp_path / "b")
    train(replace(RUNS[kind], seed=1), tmp_path / "c")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_and_resumes_to_the_same_bits(
    tmp_path: Path, kind: str, signum: signal.Signals
) -> None:
    train(RUNS[kind], tmp_path / "whole")
    with pytest.raises(Interrupted, match="interrupted after epoch 17") as interrupt:
        train(RUNS[kind], tmp_path / "parts", observers=[StopAt(17, signum)])
    assert interrupt.value.exit_code == 128 + signum
    assert load(tmp_path / "parts").metadata.epoch == 17
    result = train(RUNS[kind], tmp_path / "parts", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    whole, parts = (
        [
            {k: v for k, v in line.items() if k != "seconds"}
            for line in rundir.read_lines(tmp_path / name / "metrics.jsonl")
        ]
        for name in ("whole", "parts")
    )
    assert whole == parts
    assert len(result.history) == 9


def test_signals_have_their_handlers_back_after_a_run(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train(config(epochs=2), tmp_path)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_training_works_outside_the_main_thread(tmp_path: Path) -> None:
    thread = threading.Thread(target=train, args=(config(epochs=3), tmp_path))
    thread.start()
    thread.join()
    assert load(tmp_path).metadata.epoch == 3


def test_resuming_nothing_starts_and_resuming_a_finished_run_changes_nothing(
    tmp_path: Path,
) -> None:
    first = train(config(), tmp_path, resume=True)
    before = weights(tmp_path)
    again = train(config(), tmp_path, resume=True)
    assert same(before, weights(tmp_path))
    assert again.claims == first.claims


def test_a_finished_run_can_be_made_longer(tmp_path: Path) -> None:
    train(config(epochs=40), tmp_path / "whole")
    train(config(epochs=20), tmp_path / "parts")
    train(config(epochs=40), tmp_path / "parts", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_resuming_with_other_settings_names_the_difference(tmp_path: Path) -> None:
    train(config(), tmp_path)
    with pytest.raises(UsageError, match=r"lr was 0\.001, asked 0\.5"):
        train(config(lr=0.5), tmp_path, resume=True)
    with pytest.raises(UsageError, match="seed was 0, asked 3"):
        train(replace(config(), seed=3), tmp_path, resume=True)


@pytest.mark.parametrize("name", ["resume.safetensors", "config.json", "metrics.jsonl"])
def test_resuming_from_a_damaged_file_is_an_unusable_input(tmp_path: Path, name: str) -> None:
    train(config(), tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 255
    content[5] = 0
    (tmp_path / name).write_bytes(content)
    with pytest.raises((InputError, UsageError)):
        train(config(), tmp_path, resume=True)


KILLED = """
import sys, pathlib
sys.path.insert(0, {tests!r})
from test_run import config
from mitool.training import train
train(config(epochs=4000, checkpoint_every=25), pathlib.Path(sys.argv[1]), resume=True)
"""


def test_twenty_sigkills_and_resumes_end_in_the_same_bits(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED.format(tests=str(Path(__file__).parent)))
    run = config(epochs=4000, checkpoint_every=25)
    started = time.perf_counter()
    train(run, tmp_path / "whole")
    whole_seconds = time.perf_counter() - started
    draw, killed, epochs = random.Random(0), 0, []
    while killed < 20:
        child = subprocess.Popen([sys.executable, str(script), str(tmp_path / "parts")])
        _wait_until_training(child, tmp_path / "parts")
        # so short that 20 kills do not finish the run, so long that some get past a checkpoint
        time.sleep(draw.random() * whole_seconds / 40)
        if child.poll() is not None:
            break
        child.kill()
        child.wait()
        killed += 1
        if (tmp_path / "parts" / rundir.RESUME).exists():
            epochs.append(read_tensors(tmp_path / "parts" / rundir.RESUME)[1]["epoch"])
    assert killed == 20
    assert epochs == sorted(epochs)
    assert len(set(epochs)) > 3
    train(run, tmp_path / "parts", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    trajectory = rundir.TRAJECTORY
    for path in (tmp_path / "whole" / trajectory).iterdir():
        assert path.read_bytes() == (tmp_path / "parts" / trajectory / path.name).read_bytes()


def _wait_until_training(child: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until the child has the folder's files in hand: it has written the metrics anew."""
    metrics, begun = folder / rundir.METRICS, time.time()
    while child.poll() is None and time.time() - begun < 120:
        if metrics.exists() and metrics.stat().st_ino != _SEEN.get(folder):
            _SEEN[folder] = metrics.stat().st_ino
            return
        time.sleep(0.005)


_SEEN: dict[Path, int] = {}


@pytest.mark.parametrize(
    "training", [{"lr": 1000.0, "optimizer": "sgd"}, {"lr": 1e3, "weight_decay": 1e3}]
)
def test_a_diverged_run_fails_and_keeps_the_last_good_weights(
    tmp_path: Path, training: dict[str, Any]
) -> None:
    with pytest.raises(RunError, match="training diverged; try a lower --lr"):
        train(config(epochs=400, **training), tmp_path)
    subject = load(tmp_path)  # refuses weights that are not finite
    assert subject.metadata.epoch < 400
    for line in rundir.read_lines(tmp_path / "metrics.jsonl"):
        assert math.isfinite(line["train_loss"])


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_a_failed_run_that_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        with pytest.raises(RunError, match="No space left on device"):
            train(config(epochs=100, checkpoint_every=1), disk / "run")
        epoch = load(disk / "run").metadata.epoch
        assert 0 < epoch < 100
        shutil.copytree(disk / "run", tmp_path / "run")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    train(config(epochs=100, checkpoint_every=1), tmp_path / "whole")
    train(config(epochs=100, checkpoint_every=1), tmp_path / "run", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "run"))


def test_a_run_that_cannot_fit_fails_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"training needs about .* GiB and .* GiB is free"):
        train(replace(config(), task=ModAdd(p=65536)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_memory_estimate_is_of_the_right_size() -> None:
    """Within a factor of two of the 50 MiB that the published step was measured to take."""
    from mitool.models.transformer import TransformerConfig

    task = ModAdd()
    cfg = TransformerConfig.for_task(task.model, task)
    assert 25 < step_bytes(task, cfg, task.training) / 2**20 < 100


def test_stopping_rules(tmp_path: Path) -> None:
    """On a task that is learnt in no time: the smallest of four bits."""
    easy = Min(k=4, max_value=1)
    settings = {"lr": 0.01, "weight_decay": 0.01, "eval_every": 4, "checkpoint_every": 0}
    by_loss = replace(config(epochs=4000, stop_test_loss=0.05, **settings), task=easy)
    history = train(by_loss, tmp_path / "loss").history
    assert history[-1].test_loss <= 0.05 < history[-2].test_loss
    by_grokking = replace(config(epochs=4000, stop_on_grok=True, **settings), task=easy)
    result = train(by_grokking, tmp_path / "grok")
    assert result.claims["grokked_at"] == result.history[-1].epoch - 200
    assert result.claims["test_accuracy"] == 1.0
    assert result.history[-1].test_loss < 1e-4
    assert not (tmp_path / "grok" / "checkpoints").exists()


def test_seeds_share_a_folder_and_each_has_its_claims(tmp_path: Path) -> None:
    result = train_seeds(config(epochs=10), [0, 2], tmp_path)
    assert {"seed0.test_loss", "seed2.test_loss", "seed2.grokked_at"} <= set(result.claims)
    assert [run.folder for run in result.runs] == [tmp_path / "seed0", tmp_path / "seed2"]
    train(replace(config(epochs=10), seed=2), tmp_path / "alone")
    assert same(weights(tmp_path / "seed2"), weights(tmp_path / "alone"))


def test_a_stream_needs_a_batch_size(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="task min is a stream.*--batch-size"):
        train(replace(STREAM, training=config().training), tmp_path)


def test_run_names_say_task_parameters_and_seed() -> None:
    published = RunConfig(ModAdd(), ModAdd.model, ModAdd.training, resolve("cpu"))
    assert run_name(published, "0") == "modadd-p113-seed0"
    changed = replace(
        published,
        task=ModAdd(p=97, op="multiply"),
        training=replace(ModAdd.training, lr=0.01, stop_on_grok=True, epochs=7),
    )
    assert run_name(changed, "0to4") == "modadd-p97-opmultiply-lr_0.01-seed0to4"


def test_results_are_plain_json(tmp_path: Path) -> None:
    result = train(config(epochs=5), tmp_path)
    document = {"claims": result.claims, "config": result.config, "subject": result.subject}
    assert json.loads(json.dumps(document, allow_nan=False)) == document
