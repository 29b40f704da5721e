"""Every weight of a model is one of its folder's."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import MixtralConfig, MixtralForCausalLM

from mitool.core.errors import InputError
from mitool.models.pretrained import load_pretrained
from tests.analysis.attention.models import SHARED
from tests.models.pretrained.folders import (
    D_VOCAB,
    Weights,
    configured,
    folder_of,
    logits,
    renamed,
    rewritten,
)


@pytest.mark.parametrize("model", ["llama", "gpt2"])
@pytest.mark.parametrize(
    ("rename", "removed"),
    [
        (lambda n: f"module.{n}", "'module.'"),
        (lambda n: f"_orig_mod.{n}", "'_orig_mod.'"),
        (lambda n: f"module._orig_mod.{n}", "'module._orig_mod.'"),
        (lambda n: f"lm.{n}", "'lm.'"),
        (lambda n: n.replace("s.1.", "s.1._orig_mod.").replace("h.1.", "h.1._orig_mod."), "_orig"),
    ],
    ids=["DataParallel", "compiled", "both", "Lightning", "compiled blocks"],
)
def test_what_wrappers_put_before_names_is_removed_with_a_note(
    request: pytest.FixtureRequest, model: str, rename: Callable[[str], str], removed: str
) -> None:
    folder = request.getfixturevalue(model)
    expected = logits(folder)
    assert torch.equal(logits(renamed(folder, rename)), expected)
    (note,) = load_pretrained(folder).notes
    assert note.startswith("the weights' names are read without")
    assert removed in note


@pytest.mark.parametrize("prefix", ["model.", "model.language_model."])
def test_the_prefix_of_a_larger_model_is_removed(llama: Path, prefix: str) -> None:
    expected = logits(llama)
    renamed(llama, lambda name: prefix + name.removeprefix("model."))
    assert torch.equal(logits(llama), expected)


def test_names_without_the_prefix_of_the_base_model_are_transformers_own(gpt2: Path) -> None:
    expected = logits(gpt2)
    renamed(gpt2, lambda name: name.removeprefix("transformer."))
    assert torch.equal(logits(gpt2), expected)
    assert load_pretrained(gpt2).notes == ()


def without(*names: str) -> Callable[[Weights], Weights]:
    return lambda weights: {n: w for n, w in weights.items() if n not in names}


@pytest.mark.parametrize(
    "name",
    [
        "lm_head.weight",
        "model.embed_tokens.weight",
        "model.norm.weight",
        "model.layers.1.self_attn.q_proj.weight",
        "model.layers.0.input_layernorm.weight",
    ],
)
def test_a_missing_weight_is_named(llama: Path, name: str) -> None:
    rewritten(llama, without(name))
    with pytest.raises(InputError, match=f"1 missing \\({name}\\)"):
        load_pretrained(llama)


def test_many_missing_weights_are_counted(llama: Path) -> None:
    rewritten(llama, lambda ws: {n: w for n, w in ws.items() if ".layers." not in n})
    with pytest.raises(InputError, match=r"18 missing \(model.layers.0.* and 8 more\)"):
        load_pretrained(llama)


def test_an_untied_head_that_is_missing_has_its_remedy(llama: Path) -> None:
    rewritten(llama, without("lm_head.weight"))
    with pytest.raises(InputError, match='write "tie_word_embeddings": true there if'):
        load_pretrained(llama)
    embedding = load_file(llama / "model.safetensors")["model.embed_tokens.weight"]
    model = load_pretrained(configured(llama, tie_word_embeddings=True)).model
    assert torch.equal(model.lm_head.weight, embedding)


def test_a_tied_head_comes_from_the_embedding_or_the_embedding_from_it(gpt2: Path) -> None:
    expected = logits(gpt2)
    weights = load_file(gpt2 / "model.safetensors")
    assert "lm_head.weight" not in weights
    head = {"lm_head.weight": weights["transformer.wte.weight"]}
    rewritten(gpt2, lambda ws: ws | head)
    assert torch.equal(logits(gpt2), expected)
    rewritten(gpt2, without("transformer.wte.weight"))
    assert torch.equal(logits(gpt2), expected)
    assert load_pretrained(gpt2).notes == ()


def test_another_head_than_the_tied_one_is_used_with_a_note(gpt2: Path) -> None:
    head = torch.ones(D_VOCAB, 8)
    rewritten(gpt2, lambda ws: ws | {"lm_head.weight": head})
    loaded = load_pretrained(gpt2)
    assert torch.equal(loaded.model.lm_head.weight, head)
    assert not torch.equal(loaded.model.get_input_embeddings().weight, head)
    (note,) = loaded.notes
    assert note.startswith("config.json ties the unembedding to the embedding, and the files hold")
    loaded.model.tie_weights()
    assert torch.equal(loaded.model.lm_head.weight, head)


def test_an_unexpected_weight_is_named(llama: Path) -> None:
    more = {"model.layers.2.self_attn.q_proj.weight": torch.zeros(16, 16)}
    rewritten(llama, lambda ws: ws | more)
    with pytest.raises(InputError, match=r"1 unexpected \(model.layers.2.self_attn.q_proj.weight"):
        load_pretrained(llama)


def test_a_weight_of_another_shape_is_named_with_both(llama: Path) -> None:
    configured(llama, intermediate_size=24)
    found = (
        r"6 of another shape \(model.layers.0.mlp.down_proj.weight: 16 x 20 in the file, 16 x 24"
    )
    with pytest.raises(InputError, match=found):
        load_pretrained(llama)


@pytest.mark.parametrize(
    "leftover",
    [
        {"h.0.attn.bias": torch.ones(1, 1, 16, 16).tril().bool()},
        {
            "h.1.attn.bias": torch.ones(1, 1, 16, 16).tril(),
            "h.1.attn.masked_bias": torch.tensor(-1e4),
        },
        {"h.1.attn.rotary_emb.inv_freq": torch.ones(4), "position_ids": torch.arange(16)[None]},
    ],
    ids=lambda held: " ".join(held),
)
def test_what_files_of_old_hold_besides_is_no_matter(gpt2: Path, leftover: Weights) -> None:
    expected = logits(gpt2)
    rewritten(gpt2, lambda ws: ws | {f"transformer.{n}": w for n, w in leftover.items()})
    assert torch.equal(logits(gpt2), expected)
    assert load_pretrained(gpt2).notes == ()


@pytest.mark.parametrize("name", ["self_attn.bias", "self_attn.q_proj.masked_bias"])
def test_a_bias_is_no_mask(llama: Path, name: str) -> None:
    rewritten(llama, lambda ws: ws | {f"model.layers.0.{name}": torch.ones(16)})
    with pytest.raises(InputError, match=f"1 unexpected \\(model.layers.0.{name}"):
        load_pretrained(llama)


def test_weights_with_and_without_a_prefix_are_refused(gpt2: Path) -> None:
    rewritten(gpt2, lambda ws: ws | {"ln_f.bias": torch.ones(8)})
    with pytest.raises(InputError, match=r"each weight once, found ln_f.bias with and without"):
        load_pretrained(gpt2)


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("block_sparse_moe.experts.1.w1", r"block_sparse_moe\.experts\.1\.w1\.weight"),
        ("1.block_sparse_moe.experts", r"6 missing .*layers\.1\..*\.experts\.0\.w1\.weight"),
        ("block_sparse_moe.experts", r"mlp\.experts"),
    ],
)
def test_experts_are_there_or_missed(tmp_path: Path, missing: str, named: str) -> None:
    sizes = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_local_experts": 2}
    folder = folder_of(
        MixtralForCausalLM(MixtralConfig(vocab_size=D_VOCAB, **sizes, **heads)), tmp_path / "moe"
    )
    load_pretrained(folder)
    rewritten(folder, lambda ws: {n: w for n, w in ws.items() if missing not in n})
    with pytest.raises(InputError, match=named):
        load_pretrained(folder)


def test_a_list_of_state_dicts_is_refused_with_what_can_be_done(gpt2: Path) -> None:
    (file := gpt2 / "model.safetensors").rename(gpt2 / "before")
    weights = load_file(gpt2 / "before")
    torch.save([weights, weights], file.with_name("pytorch_model.bin"))
    with pytest.raises(InputError, match="found a list of 2; save the state dict alone: torch"):
        load_pretrained(gpt2)


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float64"])
def test_other_formats_are_read_into_float32_with_one_note(llama: Path, name: str) -> None:
    rewritten(llama, lambda ws: {n: w.to(getattr(torch, name)) for n, w in ws.items()})
    loaded = load_pretrained(llama)
    assert {w.dtype for w in loaded.model.parameters()} == {torch.float32}
    assert loaded.notes == (f"the weights are stored in {name}, and were read into float32",)


@pytest.mark.parametrize(
    "change",
    [
        {"model.norm.weight": torch.ones(16, dtype=torch.int8)},
        {"model.norm.weight": torch.ones(16).to(torch.float8_e4m3fn)},
        {"model.layers.0.mlp.up_proj.qweight": torch.ones(2, 2, dtype=torch.int32)},
        {"model.layers.0.mlp.up_proj.weight_scale_inv": torch.ones(1)},
    ],
    ids=lambda held: next(iter(held)),
)
def test_quantised_weights_are_refused(llama: Path, change: Weights) -> None:
    rewritten(llama, lambda ws: ws | change)
    with pytest.raises(InputError, match=r"found quantised or other ones \(model\."):
        load_pretrained(llama)


@pytest.mark.parametrize("ending", [".safetensors", ".bin"])
def test_shards_are_read_and_a_missing_one_is_named(llama: Path, ending: str) -> None:
    expected = logits(llama)
    weights = load_file(llama / "model.safetensors")
    (llama / "model.safetensors").unlink()
    stem = "model" if ending == ".safetensors" else "pytorch_model"
    names = list(weights)
    listed: dict[str, str] = {}
    for i, part in enumerate((names[:9], names[9:])):
        shard = f"{stem}-0000{i + 1}-of-00002{ending}"
        held = {name: weights[name] for name in part}
        if ending == ".bin":
            torch.save(held, llama / shard)
        else:
            save_file(held, llama / shard)
        listed |= dict.fromkeys(part, shard)
    (llama / f"{stem}{ending}.index.json").write_text(json.dumps({"weight_map": listed}))
    assert torch.equal(logits(llama), expected)
    (llama / f"{stem}-00002-of-00002{ending}").unlink()
    with pytest.raises(InputError, match=rf"1 of them missing \({stem}-00002-of-00002\{ending}\)"):
        load_pretrained(llama)


def test_a_pickle_is_read_as_tensors_alone(llama: Path) -> None:
    expected = logits(llama)
    torch.save(load_file(llama / "model.safetensors"), llama / "pytorch_model.bin")
    (llama / "model.safetensors").unlink()
    assert torch.equal(logits(llama), expected)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("case", "found"),
    [
        ("miss_head", "1 missing (lm_head.weight)"),
        ("miss_layer", "9 missing (model.layers.1.input_layernorm.weight"),
        ("seqcls", "found another (LlamaForSequenceClassification)"),
    ],
)
def test_a_public_fault_is_refused(case: str, found: str) -> None:
    with pytest.raises(InputError) as refused:
        load_pretrained(SHARED / "cases/missing-weights" / case)
    assert found in str(refused.value)


def test_no_gradient_is_asked_for_and_nothing_is_cached_of_a_folder(llama: Path) -> None:
    first = load_pretrained(llama)
    assert not any(weight.requires_grad for weight in first.model.parameters())
    assert not first.model.training
    shutil.rmtree(llama)
    assert torch.isfinite(first.model(first.encode("w0 w1")[None]).logits).all()
