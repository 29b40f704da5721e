"""A decoder put together from its parts computes what the bridge computes."""

from typing import Any

import pytest
import torch
from mitool.analysis.interventions.decoder import Decoder

from mitool.analysis.interventions.run import run
from mitool.errors import InputError
from tests.analysis.interventions.models import GROUPED, pairs, pretrained, toy

KINDS: dict[str, dict[str, Any]] = {
    "GPT2": {},
    "GPTNeo": {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]},
    "GPTNeoX": {},
    "Phi": {"partial_rotary_factor": 0.5},
    "OPT": {"ffn_dim": 20, "word_embed_proj_dim": 24},
    "Llama": GROUPED,
    "Mistral": GROUPED,
    "Qwen2": GROUPED,
    "Qwen3": {**GROUPED, "head_dim": 6},
    "Gemma": {**GROUPED, "head_dim": 6},
    "Falcon": {},
    "Olmo": {},
    "StableLm": {"num_key_value_heads": 4},
}

ACTIVATIONS = ("resid_pre", "attn_out", "mlp_out", "resid_post")
OF_HEADS = ("q", "k", "v", "z", "pattern")


@pytest.mark.parametrize("kind", KINDS)
def test_architectures(kind: str) -> None:
    bridge, given = pretrained(kind, **KINDS[kind]), pairs()
    found = run(Decoder(bridge), given.clean, (2, 5))  # which compares the logits itself
    logits = bridge(given.clean)[:, [2, 5]]
    torch.testing.assert_close(found.logits, logits, rtol=0, atol=1e-6 * logits.abs().max().item())


@pytest.mark.parametrize("normalization", ["none", "LN", "LNPre", "RMS", "RMSPre"])
@pytest.mark.parametrize("direction", ["causal", "bidirectional"])
@pytest.mark.parametrize("attn_only", [False, True])
def test_every_activation_of_a_toy(normalization: str, direction: str, attn_only: bool) -> None:
    bridge = toy(normalization_type=normalization, attention_dir=direction, attn_only=attn_only)
    given = pairs()
    found = run(Decoder(bridge), given.clean, (5,))
    logits, cache = bridge.run_with_cache(given.clean)
    # transformer-lens's norms without weights compute in float32
    close = {"rtol": 1e-5, "atol": 1e-5} if "Pre" in normalization else {"rtol": 0, "atol": 1e-12}
    torch.testing.assert_close(found.logits, logits[:, [5]], **close)
    for layer, own in enumerate(found.layers):
        for name in ACTIVATIONS:
            if name != "mlp_out" or not attn_only:
                expected = cache[f"blocks.{layer}.hook_{name}"]
                torch.testing.assert_close(getattr(own, name), expected, **close)
        for name in OF_HEADS:
            expected = cache[f"blocks.{layer}.attn.hook_{name}"]
            expected = expected if name == "pattern" else expected.transpose(1, 2)
            torch.testing.assert_close(getattr(own, name), expected, **close)


def test_keys_and_values_are_those_that_heads_share() -> None:
    bridge, given = pretrained("Llama", **GROUPED), pairs()
    found = run(Decoder(bridge), given.clean, (5,))
    _, cache = bridge.run_with_cache(given.clean)
    for name in ("k", "v"):
        expected = cache[f"blocks.1.attn.hook_{name}"].transpose(1, 2)
        assert expected.shape[1] == 2
        # Llama's norms compute in float32
        torch.testing.assert_close(getattr(found.layers[1], name), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("Gemma2", r"found a norm behind it \(ln1_post\)"),
        ("Olmo2", r"found a norm behind it \(ln1_post\)"),
        ("GPTJ", "its logits differ by"),
        ("Cohere", "its logits differ by"),
    ],
)
def test_other_decoders_are_refused_with_the_reason(kind: str, reason: str) -> None:
    settings = {"rotary_dim": 4} if kind == "GPTJ" else {}
    with pytest.raises(InputError, match=reason):
        run(Decoder(pretrained(kind, **settings)), pairs().clean, (5,))


def test_outputs_that_are_not_finite_are_refused() -> None:
    bridge = toy()
    next(iter(bridge.parameters())).data.fill_(torch.nan)
    with pytest.raises(InputError, match="finite"):
        run(Decoder(bridge), pairs().clean, (5,))
