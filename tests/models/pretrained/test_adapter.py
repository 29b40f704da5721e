"""An adapter beside a model, where peft is installed."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from mitool.core.errors import InputError
from mitool.models.pretrained import load_pretrained

peft = pytest.importorskip("peft")


@pytest.fixture
def adapted(llama: Path) -> Path:
    model = AutoModelForCausalLM.from_pretrained(llama)
    lora = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    peft.get_peft_model(model, lora).save_pretrained(llama)
    return llama


def test_it_is_merged_with_a_note(adapted: Path) -> None:
    whole = AutoModelForCausalLM.from_pretrained(adapted, attn_implementation="eager")
    found = load_pretrained(adapted)
    tokens = found.encode("w0 w3")[None]
    torch.testing.assert_close(found.model(tokens).logits, whole(tokens).logits)
    assert found.notes == ("the adapter beside the model (LORA) was merged into its weights",)
    assert not any(weight.requires_grad for weight in found.model.parameters())


def test_a_weight_of_it_that_is_missing_is_named(adapted: Path) -> None:
    path = adapted / "adapter_model.safetensors"
    weights = load_file(path)
    first = sorted(weights)[0]
    save_file({name: held for name, held in weights.items() if name != first}, path)
    with pytest.raises(InputError, match=f"found others \\({first}"):
        load_pretrained(adapted)
