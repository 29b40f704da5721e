"""Names and axes of the weights of a ``HookedTransformer``, and the axes of others in words."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

LAYER = re.compile(r"^blocks\.(0|[1-9]\d{0,3})(?=\.)", re.ASCII)


@dataclass(frozen=True)
class Axes:
    """The axes of a tensor as words, such as ``d_model (n_heads d_head)``: what stands in
    brackets is one axis of the tensor, the first word varying slowest.
    """

    text: str

    @property
    def groups(self) -> list[list[str]]:
        found = re.findall(r"\(([^)]*)\)|(\S+)", self.text)
        return [(several or one).split() for several, one in found]

    @property
    def words(self) -> list[str]:
        return [word for group in self.groups for word in group]

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(math.prod(sizes[word] for word in group) for group in self.groups)


AXES = {
    name: Axes(axes)
    for name, axes in (
        ("embed.W_E", "d_vocab d_model"),
        ("pos_embed.W_pos", "n_ctx d_model"),
        *((f"blocks.#.attn.W_{which}", "n_heads d_model d_head") for which in "QKV"),
        *((f"blocks.#.attn.b_{which}", "n_heads d_head") for which in "QKV"),
        ("blocks.#.attn.W_O", "n_heads d_head d_model"),
        ("blocks.#.attn.b_O", "d_model"),
        ("blocks.#.mlp.W_in", "d_model d_mlp"),
        ("blocks.#.mlp.b_in", "d_mlp"),
        ("blocks.#.mlp.W_out", "d_mlp d_model"),
        ("blocks.#.mlp.b_out", "d_model"),
        *((f"blocks.#.{norm}.{kind}", "d_model") for norm in ("ln1", "ln2") for kind in "wb"),
        *((f"ln_final.{kind}", "d_model") for kind in "wb"),
        ("unembed.W_U", "d_model d_vocab_out"),
        ("unembed.b_U", "d_vocab_out"),
    )
}
"""The axes of each weight; ``#`` stands for the number of its layer."""


def layer_of(name: str) -> str | None:
    """The number of the layer that a name belongs to."""
    match = LAYER.match(name)
    return match[1] if match else None


def generic(name: str) -> str:
    """A name with ``#`` in the place of its layer's number."""
    return LAYER.sub("blocks.#", name)


def numbered(name: str, layer: str | None) -> str:
    """A generic name with the number of a layer."""
    return name.replace("#", layer or "#")


def rearranged(tensor: Tensor, axes: Axes, wanted: Axes, sizes: Mapping[str, int]) -> Tensor:
    """A copy with its ``axes`` in the order that is ``wanted``, which groups none."""
    split = tensor.reshape([sizes[word] for word in axes.words])
    order = [axes.words.index(word) for word in wanted.words]
    return split.permute(order).clone(memory_format=torch.contiguous_format)
