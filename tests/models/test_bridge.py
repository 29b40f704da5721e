"""The bridge computes what the toy transformer computes, and leads back to it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge.sources import boot_native, build_bridge_from_module
from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint
from transformers import GPT2Config, GPT2LMHeadModel

from mitool.core.config import build
from mitool.core.errors import InputError
from mitool.models.bridge import from_bridge, to_bridge
from mitool.models.layers import Attention
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.training.loss import loss_and_gradient
from tests.models import textbook
from tests.models.toys import GRID, PUBLISHED, label, random_model, random_tokens

CONFIGS = [*GRID, *PUBLISHED.values()]
NAMES = [*map(label, GRID), *PUBLISHED]
ALL_BIASES = next(cfg for cfg in GRID if cfg.biases == "all" and not cfg.attn_only)

every_model = pytest.mark.parametrize("cfg", CONFIGS, ids=NAMES)
both_formats = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=["f32", "f64"]
)


@pytest.fixture(params=[False, True], ids=["products", "mixture"])
def _either_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention's two ways through the first block, whichever would pay."""
    monkeypatch.setattr(Attention, "_mixing_pays", lambda *_: request.param)


@every_model
@both_formats
@pytest.mark.usefixtures("_either_path")
def test_logits_agree(cfg: TransformerConfig, dtype: torch.dtype, tolerance: float) -> None:
    model, tokens = random_model(cfg, dtype), random_tokens(cfg)
    logits = to_bridge(model)(tokens)
    assert logits.dtype == dtype
    assert (model.logits(tokens) - logits).abs().max() <= tolerance
    assert (model.logits(tokens, (cfg.n_ctx - 1,)) - logits[:, -1:]).abs().max() <= tolerance


@every_model
@both_formats
@pytest.mark.usefixtures("_either_path")
def test_gradients_agree(cfg: TransformerConfig, dtype: torch.dtype, tolerance: float) -> None:
    """Of the loss at the last position by each weight, relative to the largest gradient."""
    model, tokens = random_model(cfg, dtype), random_tokens(cfg)
    bridge, last = to_bridge(model), (cfg.n_ctx - 1,)
    targets = random_tokens(cfg, seed=1)[:, -1:] % cfg.d_vocab_out
    for logits in (model.logits(tokens, last), bridge(tokens)[:, list(last)]):
        logits.backward(loss_and_gradient(logits, targets)[1])
    expected = convert_tl_checkpoint(_gradients(model.named_parameters()), bridge.cfg)
    found = _gradients(bridge.state_dict(keep_vars=True).items())
    assert found.keys() == expected.keys()
    scale = max(float(grad.abs().max()) for grad in expected.values())
    for name, grad in expected.items():
        assert (found[name] - grad).abs().max() <= tolerance * scale, name


@every_model
def test_round_trip_keeps_every_bit(cfg: TransformerConfig) -> None:
    model = random_model(cfg, torch.float32)
    bridge = to_bridge(model)
    assert _n_trained(bridge) == _n_trained(model)
    again = from_bridge(bridge)
    assert again.cfg == (replace(cfg, biases="none") if _mlp_biases_of_no_mlp(cfg) else cfg)
    assert _same_weights(again, model)
    for weight, before in zip(again.parameters(), model.parameters(), strict=True):
        assert weight.dtype == before.dtype
        assert weight.requires_grad == before.requires_grad


def _mlp_biases_of_no_mlp(cfg: TransformerConfig) -> bool:
    return cfg.attn_only and cfg.biases == "mlp"


@pytest.mark.parametrize("init_scale", [0.8, 1 / 3, 0.07, 17.25])
@pytest.mark.parametrize("d_model", [1, 6, 31, 128])
def test_round_trip_keeps_the_initial_scale(init_scale: float, d_model: int) -> None:
    cfg = replace(GRID[0], init_scale=init_scale, d_model=d_model)
    assert from_bridge(to_bridge(ToyTransformer(cfg))).cfg == cfg


def test_names_of_the_weights_are_transformer_lens_s() -> None:
    model = random_model(ALL_BIASES)
    theirs = dict(to_bridge(model).tl_named_parameters())
    assert theirs.keys() == model.state_dict().keys()
    for name, weight in model.state_dict().items():
        assert torch.equal(theirs[name], weight), name


@every_model
def test_activations_are_the_textbook_s(cfg: TransformerConfig) -> None:
    model, tokens = random_model(cfg), random_tokens(cfg)
    with torch.no_grad():
        _, cache = to_bridge(model).run_with_cache(tokens)
        seen = textbook.run(model, tokens)
    for name, value in seen.items():
        assert cache[name].shape == value.shape, name
        assert (cache[name] - value).abs().max() <= 1e-12, name


def test_an_intervention_is_computed_with() -> None:
    """Without its output, a head is a head whose output weights are 0."""
    cfg = replace(ALL_BIASES, n_heads=2, n_layers=2, n_ctx=3)
    model, tokens = random_model(cfg), random_tokens(cfg)
    silence = ("blocks.0.attn.hook_z", lambda z, hook: z * torch.tensor([0.0, 1.0])[:, None])
    silenced = to_bridge(model).run_with_hooks(tokens, fwd_hooks=[silence])
    with torch.no_grad():
        model.get_parameter("blocks.0.attn.W_O")[0] = 0
    assert (silenced - model.logits(tokens)).abs().max() <= 1e-12


@pytest.mark.parametrize("kind", ["none", "LN", "LNPre", "RMS", "RMSPre"])
def test_a_bridge_can_be_initialised_anew(kind: Any) -> None:
    bridge = to_bridge(random_model(replace(ALL_BIASES, normalization_type=kind)))
    before = bridge.W_U.clone()
    bridge.init_weights()
    assert not torch.equal(bridge.W_U, before)
    assert not bridge.b_U.any()


def test_a_bridge_of_transformer_lens_s_own_comes_over() -> None:
    shape = {"d_model": 8, "d_head": 3, "n_heads": 2, "n_layers": 2, "n_ctx": 4, "d_vocab": 7}
    bridge = boot_native({**shape, "seed": 0})
    model = from_bridge(bridge)
    tokens = random_tokens(model.cfg)
    assert (model.logits(tokens) - bridge(tokens)).abs().max() <= 1e-5
    rest = {"d_mlp": 32, "d_vocab_out": 7, "normalization_type": "LN", "biases": "all"}
    assert model.cfg == build(TransformerConfig, shape | rest)


def test_weights_that_compatibility_mode_has_folded_come_over() -> None:
    """Folding and centring leave the log-probabilities as they were."""
    model = random_model(replace(ALL_BIASES, normalization_type="LN"))
    tokens = random_tokens(model.cfg)
    bridge = to_bridge(model)
    bridge.enable_compatibility_mode(disable_warnings=True)
    folded = from_bridge(bridge)
    assert not _same_weights(folded, model)
    difference = folded.logits(tokens).log_softmax(-1) - model.logits(tokens).log_softmax(-1)
    assert difference.abs().max() <= 1e-5


def test_weights_without_gradients_are_frozen_where_they_are_0() -> None:
    model = random_model(replace(ALL_BIASES, biases="mlp", positional="learned"))
    bridge = to_bridge(model)
    bridge.requires_grad_(False)
    assert from_bridge(bridge).cfg == model.cfg
    with torch.no_grad():
        bridge.pos_embed.weight.zero_()
        for block in bridge.blocks:
            block.mlp.b_in.zero_()
            block.mlp.b_out.zero_()
    assert from_bridge(bridge).cfg == replace(model.cfg, biases="none", positional="zero")


@pytest.mark.parametrize("biases", ["none", "all"])
def test_a_conversion_leaves_everything_else_alone(biases: Any) -> None:
    model = random_model(replace(ALL_BIASES, biases=biases), torch.float32)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    before = torch.get_rng_state(), torch.get_default_dtype(), torch.is_grad_enabled()
    bridge = to_bridge(model)
    again = from_bridge(bridge)
    after = torch.get_rng_state(), torch.get_default_dtype(), torch.is_grad_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    with torch.no_grad():
        for weight in (*bridge.parameters(), *again.parameters()):
            weight.add_(1)
    assert all(torch.equal(weight, weights[name]) for name, weight in model.state_dict().items())


def test_a_bridge_is_on_the_device_of_its_model() -> None:
    bridge = to_bridge(ToyTransformer(ALL_BIASES).to("meta"))
    assert {weight.device.type for weight in bridge.parameters()} == {"meta"}
    assert bridge.cfg.device == "meta"


@pytest.fixture
def _float64_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_float64_by_default")
def test_a_conversion_heeds_the_model_not_the_defaults() -> None:
    model = random_model(ALL_BIASES, torch.float32)
    with torch.no_grad():
        bridge = to_bridge(model)
        again = from_bridge(bridge)
    assert {weight.dtype for weight in bridge.parameters()} == {torch.float32}
    assert bridge.cfg.dtype == torch.float32
    assert bridge.cfg.device == "cpu"
    assert all(weight.requires_grad for weight in bridge.parameters())
    assert again.cfg == model.cfg
    assert _same_weights(again, model)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("positional_embedding_type", "rotary"),
        ("gated_mlp", True),
        ("n_key_value_heads", 2),
        ("attn_scores_soft_cap", 30.0),
        ("output_logits_soft_cap", 20.0),
        ("attn_scale", 3.0),
        ("act_fn", "solu_ln"),
        ("normalization_type", "LayerNorm"),
        ("final_rms", True),
        ("eps", 1e-6),
    ],
)
def test_a_feature_that_toys_lack_is_named(field: str, value: Any) -> None:
    cfg = TransformerBridgeConfig(
        d_model=16, d_head=4, n_heads=4, n_layers=1, n_ctx=4, d_vocab=7, act_fn="relu"
    )
    setattr(cfg, field, value)
    with pytest.raises(InputError, match=rf"{field}: expected .* found {value!r}"):
        from_bridge(boot_native(cfg))


def test_another_architecture_is_named() -> None:
    cfg = GPT2Config(n_embd=8, n_head=2, n_layer=1, n_positions=4, vocab_size=7)
    cfg.architectures = ["GPT2LMHeadModel"]
    bridge = build_bridge_from_module(GPT2LMHeadModel(cfg), "GPT2LMHeadModel", hf_config=cfg)
    with pytest.raises(InputError, match=r"architecture: .* found 'GPT2LMHeadModel'"):
        from_bridge(bridge)


def _gradients(weights: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    return {name: weight.grad for name, weight in weights if weight.grad is not None}


def _n_trained(model: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def _same_weights(one: ToyTransformer, other: ToyTransformer) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(weight, theirs[name]) for name, weight in one.state_dict().items())
