from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.storage import checkpoint
from mitool.storage.records import read_record
from mitool.storage.staleness import GONE, outdated
from tests.results import leave


def save(path: Path, epoch: int, weight: float = 0.0, **other: Any) -> dict[str, Any]:
    """Write a checkpoint; returns what an analysis of it says of its subject."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"epoch": epoch, "seed": 0, **other}
    checkpoint.write_tensors(path, {"w": torch.tensor([weight])}, record)
    digest = checkpoint.record_of(path)["digest"]
    return {"checkpoint": str(path), "epoch": epoch, "seed": 0, "digest": digest}


def test_a_result_of_the_checkpoint_that_is_there_is_current(tmp_path: Path) -> None:
    subject = save(tmp_path / "ckpt.safetensors", 1000)
    record = read_record(leave(tmp_path / "attn", "analyze attn", subject=subject))
    assert outdated(record, tmp_path) is None
    save(tmp_path / "ckpt.safetensors", 1000)  # the same again, as of a resumed run
    assert outdated(record, tmp_path) is None


@pytest.mark.parametrize(
    ("epoch", "weight", "said"),
    [
        (2000, 0.0, "the checkpoint has been replaced since (epoch 1,000 then, 2,000 now)"),
        (1000, 1.0, "the checkpoint has been replaced since"),
    ],
    ids=["resumed", "trained otherwise"],
)
def test_a_result_of_a_checkpoint_that_was_replaced_is_not(
    tmp_path: Path, epoch: int, weight: float, said: str
) -> None:
    subject = save(tmp_path / "ckpt.safetensors", 1000)
    record = read_record(leave(tmp_path / "attn", "analyze attn", subject=subject))
    save(tmp_path / "ckpt.safetensors", epoch, weight)
    assert outdated(record, tmp_path) == said


@pytest.mark.parametrize("name", ["ckpt.safetensors", "checkpoints/00000100.safetensors"])
def test_a_run_that_was_moved_is_compared_where_it_is_now(tmp_path: Path, name: str) -> None:
    subject = save(tmp_path / "before" / name, 100)
    leave(tmp_path / "before" / "attn", "analyze attn", subject=subject)
    (tmp_path / "before").rename(tmp_path / "after")
    record = read_record(tmp_path / "after" / "attn")
    assert outdated(record, tmp_path / "after") is None
    save(tmp_path / "after" / name, 100, weight=1.0)
    assert outdated(record, tmp_path / "after") == "the checkpoint has been replaced since"


def test_without_a_digest_epochs_and_seeds_are_compared(tmp_path: Path) -> None:
    subject = save(tmp_path / "ckpt.safetensors", 1000)
    del subject["digest"]
    record = read_record(leave(tmp_path / "attn", "analyze attn", subject=subject))
    assert outdated(record, tmp_path) is None
    save(tmp_path / "ckpt.safetensors", 1000, weight=1.0)
    assert outdated(record, tmp_path) is None
    save(tmp_path / "ckpt.safetensors", 500)
    assert "epoch 1,000 then, 500 now" in str(outdated(record, tmp_path))


@pytest.mark.parametrize("name", ["gone", "a\0b"])
def test_a_result_of_a_checkpoint_that_is_gone_or_damaged_is_out_of_date(
    tmp_path: Path, name: str
) -> None:
    record = read_record(leave(tmp_path, "patch", subject={"checkpoint": name}))
    assert outdated(record, tmp_path) == GONE
    (tmp_path / "gone").write_text("damaged")
    assert outdated(record, tmp_path) == GONE


@pytest.mark.parametrize("subject", [{}, {"checkpoint": 3}, {"model": "gpt2"}])
def test_where_nothing_can_be_known_nothing_is_said(
    tmp_path: Path, subject: dict[str, Any]
) -> None:
    assert outdated(read_record(leave(tmp_path, "patch", subject=subject)), tmp_path) is None


def test_a_training_that_went_on_without_a_result_is_out_of_date(tmp_path: Path) -> None:
    subject, claims = {"run": str(tmp_path), "checkpoint": "x"}, {"epochs": 1000}
    record = read_record(leave(tmp_path, "train modadd", subject=subject, claims=claims))
    assert outdated(record, tmp_path) == GONE
    save(tmp_path / "ckpt.safetensors", 1000)
    assert outdated(record, tmp_path) is None
    save(tmp_path / "ckpt.safetensors", 1500)
    assert outdated(record, tmp_path) == "the run has gone on since (epoch 1,000 then, 1,500 now)"
