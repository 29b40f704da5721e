"""The way to TransformerLens and back.

A study that serves pretrained models too goes through a ``TransformerBridge``, so that a toy
checkpoint is studied by the same code. What is peculiar to toy tasks reads the training engine's
own forward pass (``mitool.models.recording``).
"""

import contextlib
import io
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import boot_native, build_bridge_from_module
from transformer_lens.model_bridge.sources.native.model import NativeModel, NativeRMSNorm
from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint

from mitool.core.config import build
from mitool.core.device import Device
from mitool.core.errors import InputError, said
from mitool.models.features import EPS, require_features
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.settings import Biases

ARCHITECTURE = "TransformerLensNative"
"""Transformer-lens's name for the architecture that toy transformers belong to."""

PROBED = 12
"""Tokens on which a bridge is compared with its model."""

BRIDGED = 2e-4
"""The largest difference of their logits, as a share of the largest, in float32."""

SAME_FIELDS = (
    *("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "d_vocab", "d_vocab_out", "n_ctx"),
    *("act_fn", "attn_only", "attention_dir"),
)
"""The fields that have the same name and meaning in both configurations."""


def to_bridge(model: ToyTransformer) -> TransformerBridge:
    """A bridge that computes what ``model`` computes, with a copy of its weights.

    It has the model's format and device, and asks for gradients of the same weights. It is one
    of transformer-lens's native bridges but for two things: their RMS norms compute in float32
    whatever the model's format, and their unembedding has no bias that could be trained.

    With native bridges ``hook_attn_scores`` sees the attention pattern instead of the scores,
    and there is no ``hook_result`` and no separate input of queries, keys and values.
    """
    cfg = bridge_config(model.cfg)
    with torch.random.fork_rng(devices=[]):
        native = NativeModel(cfg)
        if model.cfg.biases == "all":
            native.head = nn.Linear(cfg.d_model, cfg.d_vocab_out)
    _keep_format(native)
    native.to(model.embed.W_E)
    bridge = build_bridge_from_module(native, ARCHITECTURE, tl_config=cfg)
    with torch.enable_grad():  # what is converted from a trained weight requires grad as it does
        weights = convert_tl_checkpoint(dict(model.named_parameters()), cfg)
    bridge.load_state_dict(weights)
    for name, weight in bridge.state_dict(keep_vars=True).items():
        weight.requires_grad_(weights[name].requires_grad)
    return bridge


def moved(bridge: TransformerBridge, device: Device) -> TransformerBridge:
    """The bridge itself, on a device and in its number format."""
    with silenced():
        return bridge.to(device.torch_device, device.torch_dtype)


@torch.no_grad()
def require_bridged(bridge: TransformerBridge, model: nn.Module) -> None:
    """Check that a bridge computes what the Hugging Face model that it was made of computes.

    Raises:
        InputError: it does not, as for a GPT-2 whose scores are not scaled, or it cannot be run.
    """
    n = int(bridge.cfg.d_vocab)
    tokens = torch.arange(PROBED).reshape(2, -1) * max(1, n // PROBED) % n
    own = model(input_ids=tokens, use_cache=False, return_dict=True).logits
    try:
        with silenced():
            error = (bridge(tokens) - own).abs().max().item()
    except Exception as failure:  # whatever its parts raise where they do not fit the model
        raise InputError(_no_bridge(bridge, f"cannot be run ({said(failure)})")) from failure
    if not error <= BRIDGED * max(1.0, own.abs().max().item()):
        raise InputError(_no_bridge(bridge, f"differs from it by {error:z.2g} in its logits"))


def _no_bridge(bridge: TransformerBridge, found: str) -> str:
    return (
        f"architecture {bridge.cfg.architecture}: expected a TransformerBridge that computes what "
        f"the model computes, found one that {found}: transformer-lens does not support it. The "
        "studies of mitool take the model apart themselves and do not need it"
    )


def from_bridge(bridge: TransformerBridge) -> ToyTransformer:
    """The toy transformer that computes what a native ``bridge`` computes, weights copied.

    A bridge does not record what its model's settings froze: positions, MLP biases and the
    other biases are each taken for frozen where all are 0 and none requires grad. Training goes
    on from the toy transformer as those settings say, so an unembedding bias, which is fixed in
    transformer-lens's own native models, is trained where the attention's biases are. An
    attention-only model with ``biases="mlp"`` comes back with the equivalent ``"none"``.

    Raises:
        InputError: the bridge has a feature that toy transformers lack.
    """
    _require_features(bridge.cfg)
    model = ToyTransformer(_toy_config(bridge)).to(bridge.embed.weight)
    weights = bridge.tl_parameters()
    model.load_state_dict({name: weights[name] for name in model.state_dict()})
    return model


def rebuilt(
    fields: Mapping[str, Any], weights: Mapping[str, Float[Tensor, "..."]]
) -> TransformerBridge:
    """The native bridge of these ``bridge_fields`` and this state dict, made by transformer-lens
    alone, as a reader without mitool would make it.
    """
    with torch.random.fork_rng(devices=[]):
        bridge = boot_native(TransformerBridgeConfig(**fields))
    bridge.to(next(iter(weights.values())))
    bridge.load_state_dict(dict(weights))
    return bridge


def bridge_fields(cfg: TransformerConfig) -> dict[str, Any]:
    """The configuration of the ``TransformerBridge`` of the same shape, as JSON values."""
    return {name: getattr(cfg, name) for name in SAME_FIELDS} | {
        "normalization_type": None if cfg.normalization_type == "none" else cfg.normalization_type,
        "eps": EPS,
        "initializer_range": cfg.initial_std,
    }


def bridge_config(cfg: TransformerConfig) -> TransformerBridgeConfig:
    """The configuration of the ``TransformerBridge`` of the same shape."""
    return TransformerBridgeConfig(**bridge_fields(cfg))


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keep the libraries' own progress and warnings from a user who sees mitool's."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub", "root")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _require_features(cfg: TransformerBridgeConfig) -> None:
    """Raise InputError at the first field whose value no toy transformer can have."""
    remedy = "study the bridge as it is"
    if cfg.architecture != ARCHITECTURE:
        raise InputError(
            f"architecture: expected {ARCHITECTURE!r}, found {cfg.architecture!r}; {remedy}"
        )
    require_features(vars(cfg), remedy)


def _toy_config(bridge: TransformerBridge) -> TransformerConfig:
    cfg = bridge.cfg
    values = {name: getattr(cfg, name) for name in SAME_FIELDS} | {
        "d_vocab_out": cfg.d_vocab_out if cfg.d_vocab_out > 0 else cfg.d_vocab,
        "normalization_type": cfg.normalization_type or "none",
        "biases": _biases(bridge.state_dict(keep_vars=True)),
        "positional": "learned" if _any_trained([bridge.pos_embed.weight]) else "zero",
        "init_scale": _init_scale(cfg),
    }
    return build(TransformerConfig, values, InputError)


def _biases(weights: dict[str, Tensor]) -> Biases:
    """Which biases are trained, by the names that a bridge gives its weights."""
    biases = {name: weight for name, weight in weights.items() if name.endswith(".bias")}
    if _any_trained(w for name, w in biases.items() if ".attn." in name or "unembed." in name):
        return "all"
    return "mlp" if _any_trained(w for name, w in biases.items() if ".mlp." in name) else "none"


def _any_trained(weights: Iterable[Tensor]) -> bool:
    return any(weight.requires_grad or bool(weight.any()) for weight in weights)


def _init_scale(cfg: TransformerBridgeConfig) -> float:
    """The shortest decimal that gives the bridge's initial deviation, free of its rounding."""
    scale = cfg.initializer_range * math.sqrt(cfg.d_model)
    decimals = (float(f"{scale:z.{digits}g}") for digits in range(1, 18))
    exact = (s for s in decimals if s / math.sqrt(cfg.d_model) == cfg.initializer_range)
    return next(exact, scale)


class _RMSNorm(NativeRMSNorm):
    """RMSNorm in the format of its input, where the native one computes in float32."""

    def forward(self, x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows d_model"]:
        return F.rms_norm(x, x.shape[-1:], self.weight, self.eps)


def _keep_format(native: NativeModel) -> None:
    for module in [native, *native.layers]:
        for name, child in list(module.named_children()):
            if isinstance(child, NativeRMSNorm):
                setattr(module, name, _RMSNorm(native.cfg.d_model, native.cfg.eps))
