"""A decoder put together from its parts computes what the model computes by itself."""

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

from mitool.analysis.interventions.run import Run, run
from mitool.core.errors import InputError
from mitool.models.bridge import to_bridge
from mitool.models.pretrained.parts import decoder_of
from tests.analysis.interventions.models import pairs, parts_of, randomised, toy
from tests.huggingface.configurations import KINDS, OTHERS
from tests.huggingface.exactness import exactly_float64
from tests.huggingface.parts import frozen, head_writes
from tests.huggingface.places import places_of
from tests.huggingface.random_models import NO_PARTS, n_variants, random_model
from tests.huggingface.runs import activations, recorded

EXACT = {"rtol": 0.0, "atol": 1e-10}

N_POSITIONS = 9
"""More than any model's window."""

VARIANTS = [(kind, seed) for kind in (*KINDS, *OTHERS) for seed in range(n_variants(kind))]

ACTIVATIONS = ("resid_pre", "attn_out", "mlp_out", "resid_post")
OF_HEADS = ("q", "k", "v", "z", "pattern")


def texts(n: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(40, (n, N_POSITIONS), generator=generator)


@pytest.mark.parametrize(("kind", "seed"), [own for own in VARIANTS if own not in NO_PARTS])
def test_every_activation_of_a_pretrained_model(kind: str, seed: int) -> None:
    model, tokens = random_model(kind, seed), texts()
    with exactly_float64():
        found = run(decoder_of(model), tokens, tuple(range(N_POSITIONS)))
    own = activations(model, tokens)
    torch.testing.assert_close(found.logits, own.logits, **EXACT)
    for layer, each in enumerate(found.layers):
        for name in ACTIVATIONS:
            expected = getattr(own, name)[layer]
            torch.testing.assert_close(getattr(each, name), expected, **EXACT, msg=name)
        for name in ("q", "k", "v", "z"):
            expected = getattr(own, name)[layer].transpose(1, 2)
            torch.testing.assert_close(getattr(each, name), expected, **EXACT, msg=name)


@pytest.mark.parametrize(("kind", "seed"), NO_PARTS)
def test_what_the_parts_cannot_say_is_refused(kind: str, seed: int) -> None:
    model = random_model(kind, seed)
    expected = rf"architecture {type(model).__name__}: .*{NO_PARTS[kind, seed]}"
    with exactly_float64(), pytest.raises(InputError, match=expected):
        run(decoder_of(model), texts(), (8,))


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2", "olmo2", "gpt_oss", "gptj"])
def test_in_float32_too(kind: str) -> None:
    """Where rounding is larger, and is that of other operators than the model's."""
    model = random_model(kind, 0).float()
    found = run(decoder_of(model), texts(), (2, 5))
    logits = model(texts(), use_cache=False).logits[:, [2, 5]]
    torch.testing.assert_close(found.logits, logits, rtol=0, atol=5e-5)


@pytest.mark.parametrize("normalization", ["none", "LN", "LNPre", "RMS", "RMSPre"])
@pytest.mark.parametrize("direction", ["causal", "bidirectional"])
@pytest.mark.parametrize("attn_only", [False, True])
def test_every_activation_of_a_toy(normalization: str, direction: str, attn_only: bool) -> None:
    model = toy(normalization_type=normalization, attention_dir=direction, attn_only=attn_only)
    given = pairs()
    found = run(parts_of(model), given.clean, (5,))
    with exactly_float64():
        logits, cache = to_bridge(model).run_with_cache(given.clean)
    torch.testing.assert_close(found.logits, logits[:, [5]], **EXACT)
    for layer, own in enumerate(found.layers):
        for name in ACTIVATIONS:
            if name != "mlp_out" or not attn_only:
                expected = cache[f"blocks.{layer}.hook_{name}"]
                torch.testing.assert_close(getattr(own, name), expected, **EXACT)
        for name in OF_HEADS:
            expected = cache[f"blocks.{layer}.attn.hook_{name}"]
            expected = expected if name == "pattern" else expected.transpose(1, 2)
            torch.testing.assert_close(getattr(own, name), expected, **EXACT)


@pytest.mark.parametrize("kind", ["llama", "gemma2", "olmo2", "gpt_oss", "bloom", "cohere"])
def test_patterns_are_what_values_are_added_up_by(kind: str) -> None:
    """Together with values and ``z`` of the model itself; with sinks they do not add up to 1."""
    with exactly_float64():
        decoder = decoder_of(random_model(kind, 0))
        found = run(decoder, texts(), (8,))
    for own in found.layers:
        values = own.v.repeat_interleave(decoder.group, dim=1)
        torch.testing.assert_close(own.pattern @ values, own.z, **EXACT)
        assert (own.pattern.triu(1) == 0).all()
        total = own.pattern.sum(dim=-1)
        if kind == "gpt_oss":
            assert total.max() < 1
            assert total.mean() < 0.9
        else:
            torch.testing.assert_close(total, torch.ones_like(total), **EXACT)


@pytest.mark.parametrize("kind", ["gemma2", "gemma3_text", "olmo2", "glm4", "granite", "gpt2"])
def test_what_each_head_writes_through_the_norm_after_attention(kind: str) -> None:
    model, tokens = random_model(kind, 0), texts()
    with exactly_float64():
        decoder = decoder_of(model)
        found = run(decoder, tokens, (8,))
    places, own = places_of(model), recorded(model, tokens)
    for layer, (part, each) in enumerate(zip(decoder.layers, found.layers, strict=True)):
        after = frozen(places.blocks[layer].attn_after, own.attn_raw[layer])
        multiplier = places.blocks[layer].multiplier
        writes = head_writes(places, layer, own.z[layer])
        for head, write in enumerate(writes):
            ours = each.z_written[:, head] @ part.W_write[head]
            torch.testing.assert_close(ours, after(write) * multiplier, **EXACT)


def _scaled(module: str, by: float = 1.5) -> Any:
    def change(block: nn.Module) -> None:
        weight = block.get_submodule(module).weight
        assert isinstance(weight, Tensor)
        weight.data *= by

    return change


DAMAGES: dict[str, tuple[Any, str]] = {
    "self_attn.q_proj": (_scaled("self_attn.q_proj"), "layer 1, attention"),
    "self_attn.o_proj": (_scaled("self_attn.o_proj"), "layer 1, attention"),
    "input_layernorm": (_scaled("input_layernorm"), "layer 1, attention"),
    "post_attention_layernorm": (_scaled("post_attention_layernorm"), "layer 1, the MLP"),
    "mlp.down_proj": (_scaled("mlp.down_proj"), "layer 1, the MLP"),
}


@pytest.mark.parametrize("part", DAMAGES)
def test_a_part_that_differs_is_named(part: str) -> None:
    """The parts are a copy's, whose model is changed in one part of one layer."""
    model, other = random_model("llama", 0), random_model("llama", 0)
    change, named = DAMAGES[part]
    change(other.model.layers[1])
    decoder, own = decoder_of(model), decoder_of(other)
    mixed = type(decoder)(decoder.shape, decoder.layers, decoder.unembed, own.original)
    expected = f"architecture LlamaForCausalLM: .*found that {named} computes something else"
    with pytest.raises(InputError, match=expected):
        run(mixed, texts(), (8,))
    run(decoder, texts(), (8,))


def test_an_unembedding_that_differs_is_named() -> None:
    model, other = random_model("llama", 0), random_model("llama", 0)
    other.lm_head.weight.data *= 1.5
    decoder, own = decoder_of(model), decoder_of(other)
    mixed = type(decoder)(decoder.shape, decoder.layers, decoder.unembed, own.original)
    with pytest.raises(InputError, match="found that the unembedding computes something else"):
        run(mixed, texts(), (8,))


def test_what_a_block_adds_besides_is_refused() -> None:
    """Something in a block that no part knows of, as layers of other architectures have it."""
    model = random_model("mistral", 0)
    decoder = decoder_of(model)
    model.model.layers[1].register_forward_hook(lambda _, args, out: out * 1.001)
    with pytest.raises(InputError, match="layer 1, the MLP computes something else"):
        run(decoder, texts(), (8,))


@pytest.mark.parametrize("kind", ["toy", "llama"])
def test_outputs_that_are_not_finite_are_refused(kind: str) -> None:
    model = toy() if kind == "toy" else random_model(kind, 0)
    next(iter(model.parameters())).data.fill_(torch.nan)
    with pytest.raises(InputError, match="finite"):
        run(parts_of(model), pairs().clean, (5,))


SMALL = {"vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2}
WIDE = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 20}
NAMES = "expected a decoder whose parts go by names that mitool knows"

NO_DECODERS: dict[str, tuple[dict[str, Any], str]] = {
    "Mamba": ({**SMALL, "state_size": 4}, "expected one of num_attention_heads"),
    "Bert": ({**SMALL, "num_attention_heads": 4, "intermediate_size": 20}, NAMES),
    "XLNet": ({"vocab_size": 40, "d_model": 24, "n_layer": 2, "n_head": 4, "d_inner": 20}, NAMES),
    "RecurrentGemma": ({**SMALL, **WIDE, "block_types": ["recurrent", "attention"]}, NAMES),
    "GPT2": (
        {"vocab_size": 40, "n_embd": 24, "n_layer": 2, "n_head": 4, "add_cross_attention": True},
        "expected a decoder alone, found cross-attention",
    ),
    "Gemma3nText": (
        {**SMALL, **WIDE, "vocab_size_per_layer_input": 40, "hidden_size_per_layer_input": 8}
        | {"layer_types": ["sliding_attention", "full_attention"], "num_kv_shared_layers": 0},
        "expected blocks that read one residual stream of 24 dimensions for each token",
    ),
    "DiffLlama": ({**SMALL, **WIDE}, "layer 0, attention computes something else"),
    "Doge": ({**SMALL, **WIDE}, "layer 0, attention computes something else"),
}
"""Models of which the parts say nothing, by their configurations, and why they are refused."""


@pytest.mark.parametrize("kind", NO_DECODERS)
def test_what_is_no_decoder_of_these_parts_is_refused(kind: str) -> None:
    settings, reason = NO_DECODERS[kind]
    config = getattr(transformers, f"{kind}Config")(**settings)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    randomised(model)
    with pytest.raises(InputError, match=reason):
        run(decoder_of(model), texts(), (8,))


def test_a_model_that_reads_and_writes_apart_is_refused() -> None:
    sizes = {"vocab_size": 40, "d_model": 24, "d_kv": 6, "d_ff": 20, "num_layers": 2}
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes, num_heads=4))
    with pytest.raises(InputError, match=NAMES):
        decoder_of(model)


def test_a_run_like_another_has_its_tables() -> None:
    """The model's own run is asked for once; texts of as many tokens have the same positions."""
    with exactly_float64():
        decoder = decoder_of(random_model("gemma3_text", 1))
        tokens = texts()
        first = run(decoder, tokens, (8,))
        other: Run = run(decoder, tokens.flip(0), (8,), first.read.tables)
    assert other.read.observed is None
    assert other.read.tables is first.read.tables
    torch.testing.assert_close(other.logits, first.logits.flip(0), **EXACT)
