"""A Hugging Face model taken apart."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import NewGELUActivation
from transformers.pytorch_utils import Conv1D

from mitool.core.errors import InputError, said
from mitool.models.decoder import Decoder, Layer, Norm, Projection
from mitool.models.decoder.decoder import Unembedding
from mitool.models.pretrained.architectures import BlockNames, Fused, names_of
from mitool.models.pretrained.norms import head_norm_of, norm_of
from mitool.models.pretrained.original import HuggingFaceOriginal, Modules, require_one_model
from mitool.models.pretrained.shape import shape_of, unembedding_of
from mitool.models.shape import ModelShape

UNSCALED = ("GPTNeoForCausalLM",)
"""Architectures whose attention scores are not divided by the root of d_head."""

SCALES = ("scaling", "inv_norm_factor", "softmax_scale")
"""Under which name attention has what it multiplies scores by."""

Q_NORMS = ("q_norm", "q_layernorm", "query_layernorm", "qk_norm")
K_NORMS = ("k_norm", "k_layernorm", "key_layernorm", "qk_norm")
NORMS_ROTATED = ("query_layernorm",)
"""Names of norms of queries and keys; and of those that come after the turning by positions."""


@torch.no_grad()
def decoder_of(model: PreTrainedModel) -> Decoder:
    """The parts of a Hugging Face model, which share its weights.

    Raises:
        InputError: it is no decoder that can be taken apart.
    """
    architecture, cfg, shape = type(model).__name__, model.config, shape_of(model)
    try:
        names = names_of(architecture, cfg, _first_block(model))
        blocks = list(attrgetter(names.blocks)(model))
        attention = [attrgetter(names.attn)(block) for block in blocks]
        writers = [attrgetter(names.o)(attn) for attn in attention]
        _require_known(architecture, cfg)
        if getattr(cfg, "alibi", False):
            require_one_model(model)
        layers = tuple(
            _layer(block, attn, names, shape, cfg)
            for block, attn in zip(blocks, attention, strict=True)
        )
        _require_alike(layers)
        unembed = _unembedding(model, names, shape)
    except AttributeError as failure:
        raise InputError(
            f"architecture {architecture}: expected a decoder whose parts go by names that mitool "
            f"knows (docs/pretrained.md lists the architectures), found another ({said(failure)})"
        ) from failure
    except InputError as failure:
        raise InputError(f"architecture {architecture}: {failure}") from failure
    original = HuggingFaceOriginal(model, Modules(tuple(blocks), tuple(attention), tuple(writers)))
    return Decoder(
        shape=shape,
        layers=layers,
        unembed=unembed,
        original=original,
        is_parallel=bool(names.is_parallel(cfg)),
        interleaves=original.interleaves,
    )


def _first_block(model: PreTrainedModel) -> nn.Module | None:
    try:
        return next(iter(model.get_submodule("model.layers").children()), None)
    except AttributeError:
        return None


def _require_known(architecture: str, cfg: Any) -> None:
    """Refuse settings that put something else into the stream than the parts write."""
    if getattr(cfg, "apply_residual_connection_post_layernorm", False):
        raise InputError(
            "expected a residual stream to which blocks add, found one that each norm replaces "
            "(apply_residual_connection_post_layernorm)"
        )
    if getattr(cfg, "add_cross_attention", False):
        raise InputError("expected a decoder alone, found cross-attention (add_cross_attention)")


def _require_alike(layers: tuple[Layer, ...]) -> None:
    """Refuse layers whose heads differ in number or in width."""
    sizes = {(layer.k.n_heads, layer.v.n_heads, *layer.W_O.shape[:2]) for layer in layers}
    if len(sizes) > 1:
        raise InputError(
            "expected as many heads of one width in each layer, found layers that differ in them "
            f"(keys, values, heads, width: {', '.join(map(str, sorted(sizes)))})"
        )


def _layer(
    block: nn.Module, attn: nn.Module, names: BlockNames, shape: ModelShape, cfg: Any
) -> Layer:
    q, k, v = _projections(attn, names, shape, cfg)
    W_O, b_O = _matrix(attrgetter(names.o)(attn))

    def norm(name: str | None) -> Norm:
        return norm_of(None if name is None else attrgetter(name)(block), shape.d_model)

    ln1, is_parallel = norm(names.ln1), names.is_parallel(cfg)
    shares = is_parallel and (names.ln2 is None or getattr(block, names.ln2, None) is None)
    ln2 = ln1 if shares else norm(names.ln2)
    own = Layer(
        ln1=ln1,
        q=q,
        k=k,
        v=v,
        W_O=W_O.unflatten(0, (shape.n_heads, -1)),
        b_O=b_O,
        scale=_scale(attn, shape),
        ln2=ln2,
        mlp=_mlp(block, names, shape.d_model),
        q_norm=head_norm_of(_either(attn, Q_NORMS), shape.n_heads, shape.d_head),
        k_norm=head_norm_of(_either(attn, K_NORMS), k.n_heads, shape.d_head),
        clip=_clip(attn, cfg),
        rotates=_rotates(attn),
        norms_rotated=_either(attn, NORMS_ROTATED) is not None,
        soft_cap=getattr(attn, "attn_logit_softcapping", None),
        sinks=_sinks(attn),
        ln1_post=norm(names.ln1_post),
        ln2_post=norm(names.ln2_post),
        residual_multiplier=float(getattr(block, "residual_multiplier", 1.0)),
    )
    return _normed_after(own) if getattr(cfg, "do_layer_norm_before", True) is False else own


def _normed_after(layer: Layer) -> Layer:
    """The layer whose norms are the stream's own, after what is added to it, as in OPT-350m."""
    return replace(layer, ln1=Norm(), ln2=Norm(), norm_mid=layer.ln1, norm_post=layer.ln2)


def _projections(
    attn: nn.Module, names: BlockNames, shape: ModelShape, cfg: Any
) -> tuple[Projection, Projection, Projection]:
    d_head = shape.d_head
    if names.qkv is None:
        maps = [_matrix(getattr(attn, name)) for name in (names.q, names.k, names.v)]
    else:
        weight, bias = _matrix(getattr(attn, names.qkv))
        both = torch.cat([weight, bias[None]])
        split = _split(both, names.fused(cfg), shape.n_heads, d_head)
        maps = [(part[:-1].contiguous(), part[-1].contiguous()) for part in split]
    q, k, v = (
        Projection(weight.contiguous(), bias, weight.shape[1] // d_head) for weight, bias in maps
    )
    if q.n_heads != shape.n_heads or k.n_heads != v.n_heads or shape.n_heads % k.n_heads:
        raise InputError(
            f"expected queries of {shape.n_heads} heads and as many keys as values, found maps to "
            f"{q.n_heads}, {k.n_heads} and {v.n_heads} heads of {d_head} dimensions"
        )
    return q, k, v


def _split(both: Tensor, fused: Fused, n_heads: int, d_head: int) -> list[Tensor]:
    """Queries, keys and values of one map, by columns."""
    n_kv_heads = (both.shape[1] // d_head - n_heads) // 2
    if fused == "contiguous":
        return list(both.split([n_heads * d_head, *[n_kv_heads * d_head] * 2], dim=1))
    group = n_heads // n_kv_heads
    grouped = both.unflatten(1, (n_kv_heads, group + 2, d_head))
    parts = grouped[:, :, :group], grouped[:, :, [group]], grouped[:, :, [group + 1]]
    return [part.flatten(1) for part in parts]


def _matrix(module: nn.Module) -> tuple[Tensor, Tensor]:
    """A linear map as [from, to], and its bias, which may be 0."""
    if not isinstance(module, nn.Linear | Conv1D):
        raise InputError(
            f"expected linear maps to queries, keys, values and from them, found a "
            f"{type(module).__name__}"
        )
    weight = module.weight.detach()
    weight = weight if isinstance(module, Conv1D) else weight.T
    bias = weight.new_zeros(weight.shape[1]) if module.bias is None else module.bias.detach()
    return weight, bias


def _mlp(block: nn.Module, names: BlockNames, d_model: int) -> Callable[[Tensor], Tensor]:
    """What a block's MLP makes of what its norm lets through."""
    if names.mlp is None:
        own: Any = block
        return lambda x: own.fc2(own.activation_fn(own.fc1(x)))
    module = _with_fused_gelu(attrgetter(names.mlp)(block))
    takes_stream = "residual" in module.forward.__code__.co_varnames[:3]
    return partial(_written, module, takes_stream)


def _written(module: nn.Module, takes_stream: bool, x: Tensor) -> Tensor:
    """A module's output for rows of any number of axes; mixtures of experts know three alone."""
    rows = x.flatten(end_dim=-3) if x.ndim > 3 else x[None] if x.ndim == 2 else x
    written = module(rows, torch.zeros_like(rows)) if takes_stream else module(rows)
    written = written[0] if isinstance(written, tuple) else written  # a router says more
    return written.reshape(x.shape)


def _with_fused_gelu(mlp: nn.Module) -> nn.Module:
    """The same MLP, where its activation is GPT-2's GELU in eight operators, with that in one."""
    slow = [name for name, child in mlp.named_children() if isinstance(child, NewGELUActivation)]
    if slow:
        mlp = copy.copy(mlp)  # the model's own stays as it is
        mlp._modules = {**mlp._modules, **{name: nn.GELU("tanh") for name in slow}}
    return mlp


def _either(attn: nn.Module, names: tuple[str, ...]) -> nn.Module | None:
    return next((m for name in names if (m := getattr(attn, name, None)) is not None), None)


def _scale(attn: nn.Module, shape: ModelShape) -> float:
    if shape.architecture in UNSCALED:
        return 1.0
    for name in SCALES:
        if isinstance(value := getattr(attn, name, None), float | int):
            return float(value)
    return shape.d_head**-0.5


def _clip(attn: nn.Module, cfg: Any) -> float | None:
    held = getattr(attn, "clip_qkv", None) or getattr(cfg, "clip_qkv", None)
    return float(held) if held else None


def _rotates(attn: nn.Module) -> bool:
    """Whether a layer turns queries and keys; SmolLM 3, Cohere 2 and EXAONE 4 leave some as they
    are.
    """
    if hasattr(attn, "use_rope"):
        return bool(attn.use_rope)
    if type(attn).__name__ == "Cohere2Attention":
        return attn.sliding_window is not None
    if type(attn).__name__ == "Exaone4Attention":
        return attn.sliding_window is None or bool(attn.is_sliding)
    return True


def _sinks(attn: nn.Module) -> Tensor | None:
    sinks = getattr(attn, "sinks", None)
    return sinks.detach() if isinstance(sinks, Tensor) else None


def _unembedding(model: PreTrainedModel, names: BlockNames, shape: ModelShape) -> Unembedding:
    cfg, head = model.config, unembedding_of(model)
    final, _, last = names.final.rpartition(".")
    inner = attrgetter(final)(model)
    projection = getattr(inner, "project_out", None)
    bias = getattr(head, "bias", None)
    scaling = getattr(cfg, "logits_scaling", None)
    return Unembedding(
        norm=norm_of(getattr(inner, last), shape.d_model),
        weight=head.weight.detach(),
        bias=None if bias is None else bias.detach(),
        projection=None if projection is None else projection.weight.detach(),
        multiplier=1 / scaling if scaling else float(getattr(model, "logit_scale", None) or 1.0),
        soft_cap=getattr(cfg, "final_logit_softcapping", None),
    )
