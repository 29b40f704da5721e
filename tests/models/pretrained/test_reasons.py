"""A folder that cannot be read is refused with the true reason and what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertLMHeadModel,
    MambaConfig,
    MambaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
)

from mitool.errors import InputError, MitoolError, RunError
from mitool.models.pretrained import load_pretrained
from mitool.subject import open_model
from tests.analysis.attention.models import SHARED
from tests.models.pretrained.folders import D_VOCAB, configured, folder_of, rewritten
from tests.models.pretrained.test_weights import logits

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n"


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as refused:
        open_model(str(folder))
    message = str(refused.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message


SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
BERT = {**SMALL, "intermediate_size": 8, "vocab_size": D_VOCAB}
OTHERS: dict[str, tuple[Callable[[], Any], str]] = {
    "encoder and decoder": (
        lambda: T5ForConditionalGeneration(
            T5Config(vocab_size=D_VOCAB, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
        ),
        "found an encoder with a decoder (model_type t5, architecture T5ForConditionalGeneration)",
    ),
    "masked": (
        lambda: BertForMaskedLM(BertConfig(**BERT)),
        "found a model of another kind (model_type bert, architecture BertForMaskedLM)",
    ),
    "encoder with the head of a decoder": (
        lambda: BertLMHeadModel(BertConfig(**BERT)),
        "found a model of another kind (model_type bert, architecture BertLMHeadModel)",
    ),
    "images": (
        lambda: ViTForImageClassification(
            ViTConfig(**SMALL, intermediate_size=8, image_size=8, patch_size=4)
        ),
        "found a model of another kind (model_type vit, architecture ViTForImageClassification)",
    ),
    "recurrent": (
        lambda: MambaForCausalLM(
            MambaConfig(vocab_size=D_VOCAB, hidden_size=8, num_hidden_layers=1, state_size=2)
        ),
        "found a recurrent model (model_type mamba, architecture MambaForCausalLM), which has none",
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_decoder_with_attention(tmp_path: Path, kind: str) -> None:
    make, found = OTHERS[kind]
    assert found in refusal(folder_of(make(), tmp_path / "m"))


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"model_type": "rwkv"}, "found a recurrent model (model_type rwkv"),
        (
            {"model_type": "jamba", "architectures": []},
            "found a recurrent model (model_type jamba)",
        ),
        ({"model_type": "qwen3_next"}, "found a recurrent model"),
        ({"model_type": "llamba"}, "the model_type 'llamba' is unknown to transformers 5."),
        (
            {"model_type": "llamba", "auto_map": {}},
            "code of its own (auto_map), which mitool never",
        ),
        ({"model_type": None}, "expected a model_type, such as llama or gpt2, found none"),
        ({"model_type": 7}, "expected a model_type, such as llama or gpt2, found '7'"),
        ({"quantization_config": {"quant_method": "gptq"}}, "(quantization_config: gptq)"),
        ({"quantization_config": {"load_in_4bit": True}}, "(quantization_config: load_in_4bit)"),
        ({"architectures": ["LlamaForTokenClassification"]}, "found another (LlamaForTokenClass"),
        ({"is_encoder_decoder": True}, "found an encoder with a decoder"),
        ({"rms_norm_eps": float("nan")}, "found NaN, Infinity or larger ones for rms_norm_eps"),
        ({"hidden_size": "large"}, "expected the configuration of a llama; found: "),
        ({"num_hidden_layers": 1000}, "the weights of 1,000 layers by config.json, found 21"),
        ({"model_type": "qwen2", "num_hidden_layers": 10**9}, "expected at most 10,000 layers"),
        ({"vocab_size": 10**30}, "found NaN, Infinity or larger ones for vocab_size"),
        ({"hidden_act": "no such"}, "cannot build it from these files: "),
    ],
    ids=str,
)
def test_a_configuration_says_why(llama: Path, fields: dict[str, Any], found: str) -> None:
    assert found in refusal(configured(llama, **fields))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "expected a JSON document"),
        (b'{"model_type": "llama"', "expected a JSON document"),
        (b'{"model_type": "llam\xff"}', "expected a JSON document"),
        (b"\xff\xfe{\x00}\x00", "expected a JSON document"),
        (b"[" * 100_000, "expected a JSON document"),
        (b"[1]", "a JSON object; found a list"),
        (b"null", "a JSON object; found null"),
        (b"{}", "expected a model_type"),
        (POINTER.encode(), "found a Git LFS pointer to it; run `git lfs pull`"),
    ],
    ids=str,
)
def test_a_damaged_configuration_is_still_one_of_a_hugging_face_model(
    llama: Path, content: bytes, found: str
) -> None:
    (llama / "config.json").write_bytes(content)
    assert found in refusal(llama)


def test_infinity_where_it_is_not_used_is_a_note(llama: Path) -> None:
    expected = logits(llama)
    configured(llama, time_step_limit=[0.0, float("inf")])
    assert torch.equal(logits(llama), expected)
    (note,) = load_pretrained(llama).notes
    assert note.startswith(
        "config.json holds NaN, Infinity or numbers as large for time_step_limit;"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"_attn_implementation": "flash_attention_2"},
        {"attn_implementation": "no_such_thing"},
        {"return_dict": False},
        {"use_cache": False, "torchscript": True},
        {"output_attentions": True, "output_hidden_states": True},
        {"output_attentions": True, "_attn_implementation": "sdpa"},
        {"experts_implementation": "no_such_thing", "gradient_checkpointing": True},
        {"quantization_config": None, "configuration_files": ["config.1.0.0.json"]},
    ],
    ids=str,
)
def test_how_a_program_is_to_run_a_model_is_no_matter(llama: Path, fields: dict[str, Any]) -> None:
    expected = logits(llama)
    configured(llama, **fields)
    loaded = load_pretrained(llama)
    assert loaded.model.config._attn_implementation == "eager"
    assert torch.equal(logits(llama), expected)
    assert loaded.notes == ()


def test_code_that_a_model_brings_is_not_run(llama: Path) -> None:
    expected = logits(llama)
    (llama / "evil.py").write_text("raise SystemExit('was run')")
    configured(llama, auto_map=dict.fromkeys(("AutoConfig", "AutoModelForCausalLM"), "evil.A"))
    assert torch.equal(logits(llama), expected)
    assert "code of its own (auto_map), which was not run" in load_pretrained(llama).notes[0]


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
    monkeypatch.setattr("mitool.device.Device.free_memory", lambda self: 1000)
    with pytest.raises(RunError, match="GiB in float32, and 0.0 GiB are free"):
        load_pretrained(llama)


def test_an_empty_folder_and_files_are_told_as_such(llama: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "found an empty folder" in refusal(tmp_path / "empty")
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    assert "found quantised weights (GGUF)" in refusal(tmp_path / "m.gguf")
    assert f"give its folder, {llama}" in refusal(llama / "model.safetensors")
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
