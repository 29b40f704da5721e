"""Models that load and cannot be studied: one message each, and no traceback."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    Gemma3Config,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from mitool.analysis.interventions.run import run
from mitool.core.errors import InputError
from mitool.models.pretrained import load_pretrained
from mitool.models.pretrained.parts import decoder_of
from mitool.models.pretrained.shape import shape_of
from tests.analysis.attention.models import tiny_llama

TOKENS = torch.tensor([[0, 4, 7]])


@pytest.fixture
def model(tmp_path: Path) -> PreTrainedModel:
    return load_pretrained(tiny_llama(tmp_path / "llama")).model


def test_layers_whose_heads_differ_are_refused(model: PreTrainedModel) -> None:
    attention: Any = model.get_submodule("model.layers.1.self_attn")
    attention.k_proj = nn.Linear(16, 4, bias=False)  # one head of keys, and two in layer 0
    attention.v_proj = nn.Linear(16, 4, bias=False)
    with pytest.raises(InputError, match="found layers that differ in them"):
        decoder_of(model)


def test_cross_attention_is_refused() -> None:
    sizes = {"vocab_size": 9, "n_positions": 4, "n_embd": 8, "n_layer": 1, "n_head": 2}
    model = GPT2LMHeadModel(
        GPT2Config(**sizes, **{"add_cross_attention": True, "is_decoder": True})
    )
    with pytest.raises(InputError, match=r"found cross-attention \(add_cross_attention\)"):
        decoder_of(model)


def test_a_model_whose_own_code_fails_is_refused(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = decoder_of(model)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")

    monkeypatch.setattr(model.get_submodule("model.layers.1.mlp"), "forward", fail)
    with pytest.raises(InputError, match=r"code fails on 3 tokens: The size of tensor a \(3\)"):
        run(decoder, TOKENS, (2,))


def test_parts_that_do_not_fit_are_refused(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = decoder_of(model)
    object.__setattr__(decoder.layers[1], "W_O", decoder.layers[1].W_O[:, :3])
    with pytest.raises(InputError, match=r"LlamaForCausalLM: .* whose parts do not fit \("):
        run(decoder, TOKENS, (2,))


def test_a_size_that_is_another_one_in_each_layer_is_none_of_the_model() -> None:
    class Odd(LlamaConfig):
        def __getattribute__(self, name: str) -> Any:
            if name == "moe_intermediate_size":
                raise RuntimeError("it varies by layer")
            return super().__getattribute__(name)

    sizes = {"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 1}
    config = Odd(vocab_size=30, num_attention_heads=2, **sizes)
    assert shape_of(LlamaForCausalLM(config)).d_mlp == 20


def test_weights_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path / "llama")
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = torch.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"found NaN or infinite numbers in model\.norm\.weight;"):
        load_pretrained(folder)


def test_a_model_that_sees_is_none_of_text_alone(tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path / "llama")
    Gemma3Config().save_pretrained(folder)
    with pytest.raises(InputError, match=r"one that reads more \(.*, vision_config\); give"):
        load_pretrained(folder)


def test_a_decoder_made_an_encoder_is_told_as_such(tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path / "gemma3")
    sizes = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 1, "head_dim": 4}
    config = Gemma3TextConfig(**sizes, num_attention_heads=4, use_bidirectional_attention=True)
    config.save_pretrained(folder)
    with pytest.raises(InputError, match=r"both directions \(.*, use_bidirectional_attention\)"):
        load_pretrained(folder)


def test_a_size_of_nothing_is_told_with_its_name() -> None:
    model = LlamaForCausalLM(LlamaConfig(vocab_size=9, hidden_size=32, num_hidden_layers=0))
    with pytest.raises(InputError, match="at least 1, found num_hidden_layers 0"):
        shape_of(model)
