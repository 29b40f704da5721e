"""Names, masks and copies of state dicts that others wrote."""

import pytest
import torch
from torch import Tensor

from mitool.core.errors import InputError, UsageError
from mitool.models.layouts import to_hooked
from mitool.models.layouts.buffers import buffer_of
from mitool.models.layouts.renames import applied, parsed
from mitool.models.layouts.synonyms import meant

MEANT = {
    "attn_blocks.3.W_Q": "blocks.3.attn.W_Q",
    "attn_blocks.0.attn.b_O": "blocks.0.attn.b_O",
    "attn_blocks.1.mlp.W_in": "blocks.1.mlp.W_in",
    "attn_blocks.1.ln.w": "blocks.1.ln1.w",
    "mlps.2.norm.b": "blocks.2.ln2.b",
    "layers.11.attention.W_K": "blocks.11.attn.W_K",
    "h.0.ffn.b_out": "blocks.0.mlp.b_out",
    "W_E": "embed.W_E",
    "b_U": "unembed.b_U",
    "attn.W_Q": "blocks.0.attn.W_Q",
    "ln_f.w": "ln_final.w",
    "layers.1.self_attn.q_proj.weight": "blocks.1.attn.q.weight",
    "layers.1.attention.Wo.bias": "blocks.1.attn.o.bias",
    "blocks.0.mlp.fc1.weight": "blocks.0.mlp.in.weight",
    "lm_head.weight": "unembed.weight",
    "pos_embedding.weight": "pos_embed.weight",
}


@pytest.mark.parametrize("name", MEANT)
def test_names_in_other_words_are_understood(name: str) -> None:
    assert meant(name) == MEANT[name]


@pytest.mark.parametrize(
    "name",
    ["W", "x.W_E", "blocks.0.cross_attn.W_Q", "blocks.0.mlp.W_gate", "blocks.0.embed.W_E", "",
     "encoder.W_Q", "blocks.0.1.attn.W_Q", "blocks.0.mlp.W_Q", "layers.0.attn.in_proj_weight"],
)  # fmt: skip
def test_other_names_are_not_guessed(name: str) -> None:
    assert meant(name) is None


RENAMED: dict[str, dict[str, str | None]] = {
    "a.b=c": {"a.b": "c"},
    "h.#.q=blocks.#.attn.W_Q": {"h.12.q": "blocks.12.attn.W_Q", "h.x.q": None, "h.01.q": None},
    "h.#.w?=blocks.#.attn.W_?": {"h.0.wQ": "blocks.0.attn.W_Q", "h.0.wQQ": None},
    "net.*=*": {"net.a.b": "a.b", "a.net.b": None},
    "*.old.*=*.new.*": {"a.old.b": "a.new.b"},
    "l[12].x=y": {"l1.x": "y", "l3.x": None},
    "l[!12].x=y": {"l1.x": None, "l3.x": "y"},
    "junk.*=": {"junk.a": ""},
    "a.b = c": {"a.b": "c", "axb": None},
}


@pytest.mark.parametrize("text", RENAMED)
def test_a_rename_takes_the_names_that_fit(text: str) -> None:
    (rename,) = parsed([text])
    assert {name: rename.renamed(name) for name in RENAMED[text]} == RENAMED[text]


@pytest.mark.parametrize("text", ["a", "=b", "", "a.*=*.*", "a=b.#", "*a*b*c=x", "a=" + "b" * 500])
def test_what_is_no_rename_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--rename: expected FROM=TO"):
        parsed([text])


def test_the_first_rename_that_fits_is_taken() -> None:
    found = applied(parsed(["a.*=first", "a.b=second"]), {"a.b": "a.b", "c": "c"})
    assert {name: new for name, (_, new) in found.items()} == {"a.b": "first"}


TRIL = torch.ones(3, 3).tril()
BUFFERS: dict[str, tuple[str, Tensor, str | None]] = {
    "bool": ("blocks.0.attn.mask", TRIL.bool(), "causal"),
    "float": ("causal_mask", TRIL, "causal"),
    "hidden": ("attn.attn_mask", ~TRIL.bool(), "causal"),
    "added": ("x.mask", torch.zeros(3, 3).masked_fill(TRIL == 0, -torch.inf), "causal"),
    "in four axes": ("h.0.attn.bias", TRIL.bool().reshape(1, 1, 3, 3), "causal"),
    "all": ("blocks.0.attn.mask", torch.ones(3, 3), "bidirectional"),
    "none": ("blocks.0.attn.mask", torch.zeros(3, 3), "bidirectional"),
    "one": ("blocks.0.attn.mask", torch.ones(1, 1), None),
    "a constant": ("blocks.0.attn.IGNORE", torch.tensor(-1e5), None),
    "positions": ("embed.position_ids", torch.arange(4).unsqueeze(0), None),
    "a count": ("n_averaged", torch.tensor(3), None),
}


@pytest.mark.parametrize("name", BUFFERS)
def test_masks_show_a_direction(name: str) -> None:
    key, tensor, direction = BUFFERS[name]
    found = buffer_of(key, tensor)
    assert found is not None
    assert found.attention_dir == direction


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("embed.W_E", TRIL),
        ("blocks.0.attn.IGNORE", torch.ones(2)),
        ("embed.position_ids", torch.tensor([2, 3])),
        ("attn.q.bias", torch.ones(3)),
        ("W_mask", TRIL),
        ("mask", torch.ones(3, 2)),
    ],
)
def test_other_tensors_may_be_weights(name: str, tensor: Tensor) -> None:
    assert buffer_of(name, tensor) is None


@pytest.mark.parametrize("tensor", [torch.eye(3), TRIL - torch.eye(3), TRIL.triu(-1)])
def test_a_mask_of_another_attention_is_refused(tensor: Tensor) -> None:
    with pytest.raises(InputError, match="a.mask: expected a mask that is causal or hides nothing"):
        buffer_of("a.mask", tensor)


OF_TRANSFORMERS = (
    "transformer.h.0.attn.c_attn.weight",
    "model.layers.1.mlp.gate_proj.weight",
    "gpt_neox.layers.0.attention.query_key_value.weight",
    "transformer.blocks.0.attn.Wqkv.weight",
)


@pytest.mark.parametrize("name", OF_TRANSFORMERS)
def test_a_pretrained_models_weights_are_known_by_their_names(name: str) -> None:
    weights = {name: torch.ones(6, 2)}
    with pytest.raises(InputError, match="found names of a model of Hugging Face's transformers"):
        to_hooked(weights, 2)
    with pytest.raises(InputError, match="expected the state dict of a HookedTransformer, a"):
        to_hooked(weights, 2, parsed([f"{name}=other"]))
