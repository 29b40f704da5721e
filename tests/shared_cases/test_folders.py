"""Folders that lack something, or hold what no one reads."""

import pytest

from tests.shared_cases.truth import (
    WHOLE,
    Run,
    document,
)


@pytest.mark.parametrize(("folder", "reason"), [("T5", "encoder"), ("Mamba", "recurrent")])
def test_models_that_are_no_decoders_with_attention_are_refused(
    run: Run, folder: str, reason: str
) -> None:
    done = run("patch", f"crash-not-refused/{folder}")
    assert done.exit_code == 3
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_an_infinity_that_no_one_reads_is_a_warning(run: Run) -> None:
    done = document(run("patch", "hf-folder-reasons/inf_config"))
    assert any("Infinity" in warning for warning in done["warnings"])
    assert done["claims"]["clean_metric"] == pytest.approx(WHOLE, abs=1e-4)


def test_a_way_of_computing_attention_that_is_not_installed_is_no_hindrance(run: Run) -> None:
    done = document(run("patch", "hf-folder-reasons/attn_implementation"))
    assert done["claims"]["clean_metric"] == pytest.approx(WHOLE, abs=1e-4)


@pytest.mark.parametrize(
    ("folder", "reason", "remedy"),
    [
        ("lfs_pointer", "Git LFS pointer", "git lfs pull"),
        ("no_tokenizer", "expected a tokenizer", "save"),
        ("peft", "adapter", "merge"),
    ],
)
def test_folders_that_lack_something_are_refused_with_the_true_reason(
    run: Run, folder: str, reason: str, remedy: str
) -> None:
    done = run("patch", f"hf-folder-reasons/{folder}")
    assert done.exit_code == 3
    assert reason in done.stderr
    assert remedy in done.stderr
    assert "ckpt.safetensors" not in done.stderr
