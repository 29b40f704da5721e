"""State dicts of other libraries, brought to TransformerLens's names and shapes.

Each layout is a table in a file of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from mitool.core.errors import InputError, first_few
from mitool.models.layouts.axes import AXES, generic, layer_of, numbered
from mitool.models.layouts.base import Known, Layout
from mitool.models.layouts.bridge import BRIDGE
from mitool.models.layouts.buffers import EXPECTED, Buffer, buffer_of
from mitool.models.layouts.hooked import HOOKED
from mitool.models.layouts.leftovers import copies, require_no_pretrained, require_none
from mitool.models.layouts.naming import named
from mitool.models.layouts.notebook import NOTEBOOK
from mitool.models.layouts.renames import Rename

__all__ = ["Hooked", "to_hooked"]

MOST_NOTES = 4
"""Copies that are named in a note each."""


@dataclass(frozen=True)
class Hooked:
    """Weights by TransformerLens's names and in its shapes.

    Attributes:
        layout: the name of the layout that they came in.
        sizes: ``n_layers`` and the size of each axis, ``n_heads`` to ``d_vocab_out``; without
            ``d_mlp`` in an attention-only model, and without ``n_ctx`` where no ``W_pos`` is.
        weights: those that the file has.
        heads_are_stated: no shape says how many heads there are.
        attention_dir: the direction of attention that masks in the file show.
        notes: what was renamed, dropped or widened.
    """

    layout: str
    sizes: Mapping[str, int]
    weights: Mapping[str, Tensor]
    heads_are_stated: bool
    attention_dir: str | None
    notes: tuple[str, ...]

    @property
    def attn_only(self) -> bool:
        return "d_mlp" not in self.sizes


def to_hooked(
    tensors: Mapping[str, Tensor], n_heads: int, renames: Sequence[Rename] = ()
) -> Hooked:
    """Recognise the layout of a state dict and bring it to TransformerLens's.

    Args:
        n_heads: the number of heads where the shapes do not say.
        renames: what a user says that weights are called.

    Raises:
        UsageError: one of ``renames`` fits no name, or makes two of them one.
        InputError: a weight is missing, unknown, no finite numbers, or contradicts another; the
            message names it.
    """
    if not renames:
        require_no_pretrained(tensors)
    found = named(tensors, renames)
    buffers, rest = _apart(found.tensors)
    layout = _recognise(rest)
    weights, notes = _whole(layout, rest)
    known = layout.known(weights)
    n_layers = _n_layers({weight.name for weight, _ in known.values()})
    sizes = layout.sizes(known)
    stated = "n_heads" not in sizes
    if stated:
        sizes |= {"n_heads": n_heads, "d_head": _head_width(known, n_heads)}
    return Hooked(
        layout.name,
        {"n_layers": n_layers} | sizes,
        layout.renamed(known, sizes),
        stated,
        _direction(buffers),
        (*found.notes, *_said_of(buffers), *notes, *_widened(known)),
    )


def _apart(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Buffer], dict[str, Tensor]]:
    """Masks and constants, and what is none of them."""
    buffers, rest = {}, {}
    for key, tensor in tensors.items():
        if (buffer := buffer_of(key, tensor)) is not None:
            buffers[key] = buffer
        else:
            rest[key] = tensor
    return buffers, rest


def _whole(layout: Layout, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The weights of a layout, after what does nothing and copies are left out.

    Raises:
        InputError: a weight is missing, or a tensor is none of these.
    """
    weights = {key: tensor for key, tensor in tensors.items() if layout.has(key)}
    others = {
        key: tensor
        for key, tensor in tensors.items()
        if key not in weights and not layout.is_inert(key, tensor)
    }
    same = copies(others, weights)
    names = {
        layout.weights[generic(key)].name.replace("#", layer_of(key) or "#") for key in weights
    }
    leftovers = [key for key in others if key not in same]
    missing = _missing(names)
    require_none(layout, weights | others, leftovers, missing, _n_layers(names))
    return weights, _said_of_copies(same)


def _said_of_copies(same: Mapping[str, str]) -> list[str]:
    if len(same) > MOST_NOTES:
        listed = first_few([f"{key} of {own}" for key, own in same.items()])
        return [f"dropped, as copies of weights: {listed}"]
    return [f"dropped: {key}, which is a copy of {own}" for key, own in same.items()]


def _direction(buffers: Mapping[str, Buffer]) -> str | None:
    """The direction of attention that all masks show."""
    found = {buffer.attention_dir for buffer in buffers.values()} - {None}
    if len(found) > 1:
        raise InputError(
            f"{', '.join(key for key, b in buffers.items() if b.attention_dir)}: expected masks of "
            "one kind, found causal ones beside others; toy transformers have one direction"
        )
    return next(iter(found), None)


def _said_of(buffers: Mapping[str, Buffer]) -> list[str]:
    """Which buffers were dropped, but for those that TransformerLens itself saved."""
    others = [key for key in buffers if not key.endswith(EXPECTED)]
    return [f"dropped: {first_few(others)}, masks or constants and no weights"] if others else []


def _widened(known: Known) -> list[str]:
    """Which formats are read into a wider one."""
    formats = sorted({str(tensor.dtype) for _, tensor in known.values()})
    wide = "torch.float64" if "torch.float64" in formats else "torch.float32"
    narrow = [name for name in formats if name != wide]
    return [f"weights of {' and '.join(narrow)} are read into {wide}"] if narrow else []


def _recognise(tensors: Mapping[str, Tensor]) -> Layout:
    """The layout of a state dict, by its names and by the axes of ``W_O``: the notebook has two
    of them, whatever their sizes, and ``HookedTransformer`` three.
    """
    n_hooked, n_bridge = (sum(layout.has(key) for key in tensors) for layout in (HOOKED, BRIDGE))
    if n_bridge > n_hooked:
        return BRIDGE
    outputs = [tensor for key, tensor in tensors.items() if key.endswith(".attn.W_O")]
    if any(tensor.ndim == 2 for tensor in outputs):
        return NOTEBOOK
    if n_hooked:
        return HOOKED
    found = ", ".join(map(repr, [key[:80] for key in tensors][:3]))
    raise InputError(
        f"expected the state dict of a {HOOKED.name}, a {BRIDGE.name} or a {NOTEBOOK.name} model, "
        f"with weights such as {next(iter(HOOKED.weights))!r} or {next(iter(BRIDGE.weights))!r}; "
        f"found {found}{', ..' if len(tensors) > 3 else ''}; --rename FROM=TO says which weight is "
        "which"
    )


def _n_layers(names: Collection[str]) -> int:
    """How many layers there are, by the highest number of one."""
    numbers = {int(number) for name in names if (number := layer_of(name)) is not None}
    return max(numbers, default=0) + 1


def _missing(names: Collection[str]) -> list[str]:
    """The weights that a model of these layers must have and that are not there; biases and
    positions need not be.
    """
    required = (
        numbered(name, str(layer))
        for name in _required(names)
        for layer in (range(_n_layers(names)) if "#" in name else (0,))
    )
    return [name for name in required if name not in names]


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
