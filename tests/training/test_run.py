import json
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.core.device import resolve
from mitool.core.errors import RunError, UsageError
from mitool.models.subject import load
from mitool.storage import atomic
from mitool.tasks import Split
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd
from mitool.training import RunConfig, claim_names, run_name, train, train_seeds
from mitool.training.memory import step_bytes
from tests.training.runs import SMALL, STREAM, config, same, weights


def test_a_run_leaves_what_the_design_says(tmp_path: Path) -> None:
    result = train(config(), tmp_path / "run")
    assert result.claims["epochs"] == 40
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("config.json", "metrics.jsonl", "ckpt.safetensors", "resume.safetensors"),
        *("checkpoints", ".lock"),
    }
    steps = [int(path.stem) for path in sorted((tmp_path / "run" / "checkpoints").iterdir())]
    assert steps == [0, 10, 20, 30, 40]
    lines = atomic.read_lines(tmp_path / "run" / "metrics.jsonl")
    assert [line["epoch"] for line in lines] == list(range(0, 41, 5))
    assert result.claims["test_loss"] == lines[-1]["test_loss"]
    subject = load(tmp_path / "run")
    assert (subject.task, subject.metadata.step) == (ModAdd(p=7, frac_train=0.5), 40)
    assert subject.metadata.split == {"method": "torch", "frac_train": 0.5, "seed": 0}


def test_training_lowers_the_loss_as_a_plain_loop_does(tmp_path: Path) -> None:
    """The textbook loop, with autograd over the bridge's own forward, is the slow twin."""
    import torch.nn.functional as F

    from mitool.core.device import generator
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
    examples, (chosen, _) = run.task.examples(), Split(0.5, 0).indices(49)
    for _ in range(12):
        optimizer.zero_grad()
        logits = bridge(examples.tokens[chosen])[:, -1]
        F.cross_entropy(logits, examples.targets[chosen, 0]).backward()
        optimizer.step()
    expected = bridge(examples.tokens)[:, -1]
    found = load(tmp_path / "run").model.logits(examples.tokens, (2,))[:, 0]
    assert torch.allclose(found, expected, atol=1e-9)


def test_training_works_outside_the_main_thread(tmp_path: Path) -> None:
    thread = threading.Thread(target=train, args=(config(epochs=3), tmp_path))
    thread.start()
    thread.join()
    assert load(tmp_path).metadata.epoch == 3


@pytest.mark.parametrize("checkpoint_every", [0, 10])
@pytest.mark.parametrize(
    "training", [{"lr": 1000.0, "optimizer": "sgd"}, {"lr": 1e3, "weight_decay": 1e3}]
)
def test_a_diverged_run_fails_and_keeps_the_last_good_weights(
    tmp_path: Path, training: dict[str, Any], checkpoint_every: int
) -> None:
    with pytest.raises(RunError, match="training diverged; try a lower --lr"):
        train(config(epochs=400, checkpoint_every=checkpoint_every, **training), tmp_path)
    subject = load(tmp_path)  # which refuses weights that are not finite
    assert subject.metadata.epoch < 400
    for line in atomic.read_lines(tmp_path / "metrics.jsonl"):
        assert math.isfinite(line["train_loss"])


def test_a_model_whose_first_weights_are_too_large_is_not_trained(tmp_path: Path) -> None:
    huge = replace(SMALL, n_layers=12, init_scale=100.0)
    with pytest.raises(RunError, match="^the loss of the untrained model is .* --init-scale$"):
        train(replace(config(), model=huge), tmp_path)
    assert not (tmp_path / "ckpt.safetensors").exists()


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


def test_claims_are_called_what_was_said_before(tmp_path: Path) -> None:
    one = config(epochs=5)
    assert list(train(one, tmp_path / "one").claims) == claim_names(one.task)
    several = train_seeds(one, [3, 1], tmp_path / "several").claims
    assert list(several) == claim_names(one.task, [3, 1])


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
