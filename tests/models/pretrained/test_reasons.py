"""A folder that cannot be read is refused with the true reason and what to do."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from mitool.core.errors import InputError, MitoolError, RunError
from mitool.models.hub_files import require_no_other
from mitool.models.pretrained import load_pretrained
from tests.analysis.attention.models import SHARED
from tests.models.pretrained.folders import (
    D_VOCAB,
    POINTER,
    configured,
    refusal,
    rewritten,
)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ((), "expected weights (model.safetensors or pytorch_model.bin, or its index), found none"),
        (("model.q4.gguf",), "found quantised ones alone (model.q4.gguf)"),
        (("tf_model.h5",), "found tf_model.h5, which is not read; save the model again"),
        (
            ("model-00001-of-00002.safetensors",),
            "found model-00001-of-00002.safetensors without an",
        ),
    ],
)
def test_weights_that_are_not_there(llama: Path, files: tuple[str, ...], found: str) -> None:
    (llama / "model.safetensors").unlink()
    for name in files:
        (llama / name).write_bytes(b"x")
    assert found in refusal(llama)


@pytest.mark.parametrize(
    "index",
    [
        "[",
        "[]",
        "{}",
        '{"weight_map": {}}',
        '{"weight_map": {"a": 1}}',
        '{"weight_map": {"a": "../b.safetensors"}}',
        '{"weight_map": {"a": "/etc/passwd"}}',
    ],
)
def test_an_index_that_names_no_file(llama: Path, index: str) -> None:
    (llama / "model.safetensors").unlink()
    (llama / "model.safetensors.index.json").write_text(index)
    assert "model.safetensors.index.json: expected " in refusal(llama)


def test_a_pointer_in_place_of_any_file(llama: Path) -> None:
    for path in llama.glob("*"):
        if path.name in ("generation_config.json", "tokenizer_config.json"):
            continue
        before = path.read_bytes()
        path.write_text(POINTER)
        assert f"{path.name}: expected the file itself, found a Git LFS pointer" in refusal(llama)
        path.write_bytes(before)
    load_pretrained(llama)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, "expected a tokenizer (tokenizer.json, or tokenizer.model, "),
        ({"tokenizer_config.json": "{}"}, "found tokenizer_config.json alone"),
        ({"tokenizer.json": "{"}, "expected a tokenizer that transformers reads"),
        ({"tokenizer.json": "{}"}, "expected a tokenizer that transformers reads"),
        (
            {
                "vocab.json": '{"a": 0}',
                "tokenizer_config.json": '{"tokenizer_class": "GPT2Tokenizer"}',
            },
            "merges.txt",
        ),
        (
            {"tokenizer_config.json": '{"tokenizer_class": "GPT2Tokenizer"}', "vocab.txt": "a\n"},
            "no vocab.json and no merges.txt",
        ),
    ],
    ids=str,
)
def test_no_tokenizer_is_made_up(llama: Path, files: dict[str, str], found: str) -> None:
    for path in llama.glob("tokenizer*"):
        path.unlink()
    for name, content in files.items():
        (llama / name).write_text(content)
    assert found in refusal(llama)


def test_settings_that_a_tokenizer_looks_at_with_a_text_only(llama: Path) -> None:
    settings = json.loads((llama / "tokenizer_config.json").read_text())
    (llama / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": []}))
    assert "expected a tokenizer that transformers reads; found: '>' not" in refusal(llama)


def test_a_tokenizer_of_more_tokens_than_the_model_is_a_note(tmp_path: Path, llama: Path) -> None:
    tokens = json.loads((llama / "tokenizer.json").read_text())
    tokens["model"]["vocab"]["w99"] = D_VOCAB
    (llama / "tokenizer.json").write_text(json.dumps(tokens))
    (note,) = load_pretrained(llama).notes
    assert note.startswith("the tokenizer has 33 tokens and the model embeds 32: ")


def test_an_adapter_alone_names_its_base(llama: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (llama / name).unlink()
    settings = {"peft_type": "LORA", "base_model_name_or_path": "meta/llama"}
    (llama / "adapter_config.json").write_text(json.dumps(settings))
    found = "found an adapter alone (adapter_config.json), which changes a base model, 'meta/llama'"
    assert found in refusal(llama)


def test_an_adapter_beside_a_model_needs_peft(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    (llama / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    assert "pip install 'mitool[peft]'" in refusal(llama)


@pytest.mark.parametrize("field", ["hidden_size", "vocab_size", "intermediate_size"])
def test_sizes_beyond_memory_are_refused_before_there_is_any_taken(llama: Path, field: str) -> None:
    message = refusal(configured(llama, **{field: 10**12}))
    assert "numbers by the sizes in config.json, found" in message


def test_positions_beyond_memory_are_refused(gpt2: Path) -> None:
    configured(gpt2, n_positions=10**7, n_ctx=10**7)
    assert "transformer.wpe.weight: 16 x 8 in the file, 10000000 x 8 by config" in refusal(gpt2)


def test_a_model_that_does_not_fit_is_no_fault_of_its_files(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitool.core.device.Device.free_memory", lambda self: 1000)
    with pytest.raises(RunError, match="GiB in float32, and 0.0 GiB are free"):
        load_pretrained(llama)


def test_an_empty_folder_and_files_are_told_as_such(llama: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "found an empty folder" in refusal(tmp_path / "empty")
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    assert "found quantised weights (GGUF)" in refusal(tmp_path / "m.gguf")
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert f"give its folder, {llama}" in refusal(llama / name)
        with pytest.raises(InputError, match="found a file of a Hugging Face model"):
            require_no_other(llama / name)
    (llama / "config.json").unlink()
    assert "expected config.json, which says what model it is, found none" in refusal(llama)


def test_what_a_library_said_is_the_cause(llama: Path) -> None:
    (llama / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(InputError, match=r"found it damaged or cut short: .*header") as refused:
        load_pretrained(llama)
    assert "header" in str(refused.value.__cause__)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("case", "found"),
    [
        ("hf-folder-reasons/lfs_pointer", "run `git lfs pull`"),
        ("hf-folder-reasons/no_tokenizer", "expected a tokenizer"),
        ("hf-folder-reasons/peft", "found an adapter alone"),
        ("crash-not-refused/T5", "found an encoder with a decoder"),
        ("crash-not-refused/Mamba", "found a recurrent model"),
    ],
)
def test_a_public_case_has_its_reason(case: str, found: str) -> None:
    assert found in refusal(SHARED / "cases" / case)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
@pytest.mark.parametrize("case", ["attn_implementation", "inf_config"])
def test_a_public_case_that_can_be_read_is(case: str, tmp_path: Path) -> None:
    folder = SHARED / "cases/hf-folder-reasons" / case
    sound = shutil.copytree(folder, tmp_path / "sound")
    configured(Path(sound), "_attn_implementation", "time_step_limit")
    assert torch.equal(
        load_pretrained(folder).model.lm_head.weight, load_pretrained(sound).model.lm_head.weight
    )


def test_names_from_a_file_are_shown_in_letters_that_can_be_seen(llama: Path) -> None:
    rewritten(llama, lambda weights: weights | {"a\x1b[31m\nb": torch.ones(1)})
    assert r"1 unexpected (a\x1b[31m\nb);" in refusal(llama)


def test_damaged_weights_end_in_one_message(llama: Path) -> None:
    """Cut short anywhere, or with a byte changed: a message, or a model whose weights are there."""
    path = llama / "model.safetensors"
    whole = path.read_bytes()
    for cut in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        refusal(llama)
    path.write_bytes(whole)
    rewritten(llama, lambda weights: {name: held.flatten() for name, held in weights.items()})
    with pytest.raises(MitoolError, match="of another shape"):
        load_pretrained(llama)
