"""State dicts of other libraries, brought to TransformerLens's names and shapes.

Each layout is a table in a file of its own.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor

from mitool.errors import InputError
from mitool.models.layouts.axes import AXES, layer_of, numbered
from mitool.models.layouts.base import Known, Layout
from mitool.models.layouts.bridge import BRIDGE
from mitool.models.layouts.hooked import HOOKED
from mitool.models.layouts.notebook import NOTEBOOK

__all__ = ["Hooked", "to_hooked"]


@dataclass(frozen=True)
class Hooked:
    """Weights by TransformerLens's names and in its shapes.

    Attributes:
        layout: the name of the layout that they came in.
        sizes: ``n_layers`` and the size of each axis, ``n_heads`` to ``d_vocab_out``; without
            ``d_mlp`` in an attention-only model, and without ``n_ctx`` where no ``W_pos`` is.
        weights: those that the file has.
        heads_are_stated: no shape says how many heads there are.
    """

    layout: str
    sizes: Mapping[str, int]
    weights: Mapping[str, Tensor]
    heads_are_stated: bool

    @property
    def attn_only(self) -> bool:
        return "d_mlp" not in self.sizes


def to_hooked(tensors: Mapping[str, Tensor], n_heads: int) -> Hooked:
    """Recognise the layout of a state dict and bring it to TransformerLens's.

    Args:
        n_heads: the number of heads where the shapes do not say.

    Raises:
        InputError: a weight is missing, unknown, no finite numbers, or contradicts another; the
            message names it.
    """
    layout = _recognise(tensors)
    known = layout.known(tensors)
    n_layers = _require_whole(layout, known)
    sizes = layout.sizes(known)
    stated = "n_heads" not in sizes
    if stated:
        sizes |= {"n_heads": n_heads, "d_head": _head_width(known, n_heads)}
    weights = layout.renamed(known, sizes)
    return Hooked(layout.name, {"n_layers": n_layers} | sizes, weights, stated)


def _recognise(tensors: Mapping[str, Tensor]) -> Layout:
    """The layout of a state dict, by its names and by the axes of ``W_O``: the notebook has two
    of them, whatever their sizes, and ``HookedTransformer`` three.
    """
    if any(BRIDGE.has(key) for key in tensors):
        return BRIDGE
    outputs = [tensor for key, tensor in tensors.items() if key.endswith(".attn.W_O")]
    if any(tensor.ndim == 2 for tensor in outputs):
        return NOTEBOOK
    if any(HOOKED.has(key) for key in tensors):
        return HOOKED
    found = ", ".join(map(repr, [key[:80] for key in tensors][:3]))
    raise InputError(
        f"expected the state dict of a {HOOKED.name}, a {BRIDGE.name} or a {NOTEBOOK.name} model, "
        f"with weights such as {next(iter(HOOKED.weights))!r} or {next(iter(BRIDGE.weights))!r}; "
        f"found {found}{', ..' if len(tensors) > 3 else ''}"
    )


def _require_whole(layout: Layout, known: Known) -> int:
    """Check that no weight is missing that a model of these layers must have; biases and
    positions may be. Returns the number of layers.
    """
    names = {weight.name for weight, _ in known.values()}
    numbers = {int(number) for name in names if (number := layer_of(name)) is not None}
    n_layers = max(numbers, default=0) + 1
    for name in _required(names):
        for layer in range(n_layers):
            if (needed := numbered(name, str(layer))) not in names:
                own = layout.own_name(needed)
                raise InputError(
                    f"{own}: missing; expected a {layout.name} with n_layers {n_layers}"
                )
    return n_layers


def _required(names: Collection[str]) -> list[str]:
    """The weights that every layer must have, given those that some layer has."""
    has_mlp = any(".mlp." in name for name in names)
    norms = tuple(f".{kind}" for kind in "wb" if any(name.endswith(f".{kind}") for name in names))
    return [
        name
        for name in AXES
        if (".W_" in name or name.endswith(norms))
        and name != "pos_embed.W_pos"
        and (has_mlp or not (".mlp." in name or ".ln2." in name))
    ]


def _head_width(known: Known, n_heads: int) -> int:
    """The width of a head, from an axis of the state dict that holds all heads."""
    for key, (weight, tensor) in known.items():
        for group, size in zip(weight.axes.groups, tensor.shape, strict=True):
            if len(group) > 1:
                if size % n_heads:
                    raise InputError(
                        f"{key}: expected a multiple of {n_heads}, the number of heads, for "
                        f"({' '.join(group)}), found shape {tuple(tensor.shape)}; give the number "
                        "with --n-heads"
                    )
                return size // n_heads
    raise InputError("expected attention weights, found none")
