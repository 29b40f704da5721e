"""The parts of a decoder's block, taken out of a ``TransformerBridge``."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.activations import NewGELUActivation

from mitool.errors import InputError

UNSCALED = ("GPTNeoForCausalLM",)
"""Architectures whose attention scores are not divided by the root of d_head."""


@dataclass(frozen=True)
class Projection:
    """The linear map to the queries, keys or values of all heads of a layer."""

    weight: Float[Tensor, "d_model all_heads"]
    bias: Float[Tensor, " all_heads"]
    n_heads: int

    def __call__(
        self, x: Float[Tensor, "*batch pos d_model"]
    ) -> Float[Tensor, "*batch head pos d_head"]:
        return (x @ self.weight + self.bias).unflatten(-1, (self.n_heads, -1)).transpose(-3, -2)

    def of_heads(
        self,
        heads: Sequence[int],
        x: Float[Tensor, "variant head pair pos d_model"],
        n_heads: int,
    ) -> Float[Tensor, "variant head pair pos d_head"]:
        """Of some heads alone, each with an input of its own.

        Args:
            n_heads: of the layer; where they share keys and values, more than this projects to.
        """
        own = [head * self.n_heads // n_heads for head in heads]
        weight = self.weight.unflatten(-1, (self.n_heads, -1)).transpose(0, 1)[own]
        bias = self.bias.view(self.n_heads, 1, -1)[own]
        return (x.flatten(2, 3) @ weight + bias).unflatten(2, x.shape[2:4])


@dataclass(frozen=True)
class Layer:
    """A block's parts.

    Attributes:
        ln1: the norm that attention reads through.
        ln2: the norm that the MLP reads through.
        mlp: None in an attention-only model.
        W_O: how each head writes.
        b_O: what attention writes besides.
        q_norm, k_norm: norms of each head's queries and keys, where the model has them.
        scale: of the attention scores.
    """

    ln1: Callable[[Tensor], Tensor]
    ln2: Callable[[Tensor], Tensor]
    mlp: Callable[[Tensor], Tensor] | None
    q: Projection
    k: Projection
    v: Projection
    W_O: Float[Tensor, "head d_head d_model"]
    b_O: Float[Tensor, " d_model"]
    q_norm: Callable[[Tensor], Tensor]
    k_norm: Callable[[Tensor], Tensor]
    scale: float

    def write(
        self, z: Float[Tensor, "*batch head pos d_head"]
    ) -> Float[Tensor, "*batch pos d_model"]:
        """What attention writes: ``attn_out``."""
        return z.transpose(-3, -2).flatten(-2) @ self.W_O.flatten(0, 1) + self.b_O

    def mlp_out(
        self, x: Float[Tensor, "*batch pos d_model"]
    ) -> Float[Tensor, "*batch pos d_model"]:
        """What the MLP writes for what it reads, before its norm."""
        return torch.zeros_like(x) if self.mlp is None else self.mlp(self.ln2(x))


def layer_of(
    block: Any,
    held: Mapping[str, Tensor],
    name: str,
    n_kv_heads: int,
    cfg: Any,
    home: torch.device,
) -> Layer:
    """A block's parts, which take from ``home`` and give to it wherever the block itself is.

    Raises:
        InputError: the block is of another kind.
    """
    for norm in ("ln1_post", "ln2_post"):
        if getattr(block, norm, None) is not None:
            raise InputError(
                f"architecture {cfg.architecture}: expected blocks that add to the residual stream "
                f"what they compute, found a norm behind it ({norm})"
            )
    own = {
        key.removeprefix(f"{name}."): weight.to(home)
        for key, weight in held.items()
        if key.startswith(f"{name}.")
    }
    ln1 = module_of(block, "ln1", home)
    return Layer(
        ln1=ln1,
        ln2=module_of(block, "ln2", home) if hasattr(block, "ln2") else ln1,
        mlp=at_home(_mlp(block), home) if hasattr(block, "mlp") else None,
        q=_projection(own, "Q", cfg.n_heads),
        k=_projection(own, "K", n_kv_heads),
        v=_projection(own, "V", n_kv_heads),
        W_O=own["attn.W_O"],
        b_O=own.get("attn.b_O", own["attn.W_O"].new_zeros(cfg.d_model)),
        q_norm=module_of(block.attn, "q_norm", home),
        k_norm=module_of(block.attn, "k_norm", home),
        scale=_scale(block.attn, cfg),
    )


def _projection(held: Mapping[str, Tensor], letter: str, n_heads: int) -> Projection:
    weight = held[f"attn.W_{letter}"]
    bias = held.get(f"attn.b_{letter}", weight.new_zeros(weight.shape[0], weight.shape[-1]))
    copies = weight.shape[0] // n_heads
    weight, bias = weight[::copies], bias[:: bias.shape[0] // n_heads]
    return Projection(weight.transpose(0, 1).flatten(1).contiguous(), bias.flatten(), n_heads)


def module_of(owner: nn.Module, name: str, home: torch.device) -> Callable[[Tensor], Tensor]:
    """The library's own module behind a bridge's; the identity where there is none."""
    bridged = getattr(owner, name, None)
    return nn.Identity() if bridged is None else at_home(bridged.original_component, home)


def at_home(part: Callable[[Tensor], Tensor], home: torch.device) -> Callable[[Tensor], Tensor]:
    """A part of a model whose results come back to a device.

    Of a model that its library has divided among several devices each part takes its inputs from
    any of them, and leaves its results where it is.
    """
    return lambda x: part(x).to(home)


def _mlp(block: Any) -> Callable[[Tensor], Tensor]:
    """What a block's MLP writes for what its norm lets through."""
    mlp = block.mlp.original_component
    if mlp is block.original_component:  # OPT's blocks hold their MLP's two maps themselves
        first, second = (getattr(block.mlp, name).original_component for name in ("in", "out"))
        return lambda x: second(mlp.activation_fn(first(x)))

    mlp = _with_fused_gelu(mlp)

    def write(x: Tensor) -> Tensor:
        written = mlp(x)
        return written[0] if isinstance(written, tuple) else written  # a router says more

    return write


def _with_fused_gelu(mlp: nn.Module) -> nn.Module:
    """The same MLP, where its activation is GPT-2's GELU in eight operators, with that in one."""
    slow = [name for name, child in mlp.named_children() if isinstance(child, NewGELUActivation)]
    if slow:
        mlp = copy.copy(mlp)  # the bridge's own stays as it is
        mlp._modules = {**mlp._modules, **{name: nn.GELU("tanh") for name in slow}}
    return mlp


def _scale(attention: Any, cfg: Any) -> float:
    if cfg.architecture in UNSCALED:
        return 1.0
    own = getattr(attention.original_component, "scaling", None)
    return float(own) if isinstance(own, float) else cfg.d_head**-0.5
