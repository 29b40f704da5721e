"""What a folder's configuration says it is: read, or refused with its reason."""

import os
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

from mitool.models.pretrained import load_pretrained
from tests.models.pretrained.folders import D_VOCAB, POINTER, configured, folder_of, logits, refusal

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


def test_a_configuration_that_is_no_file_is_told_as_such(llama: Path) -> None:
    (llama / "config.json").unlink()
    os.mkfifo(llama / "config.json")
    assert "model, found a folder, pipe or device" in refusal(llama)


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
