"""What a file holds beyond a layout's weights, and what it lacks of them."""

import difflib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mitool.errors import InputError, first_few
from mitool.models.layouts.base import FORMATS, Layout
from mitool.state_keys import without_numbers

MOST_COMPARED = 50
"""Names of a file that are compared with those that are missing."""

LIKELY = 0.5
"""How like two names are, from 0 to 1, of which one may be meant by the other."""


def copies(leftovers: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, str]:
    """By name, the weight that a tensor is a copy of, its bits or those of its transpose the same.

    A tensor of one value throughout is no copy: so is many another, which may be in use.
    """
    found = {}
    for name, tensor in leftovers.items():
        if tensor.dtype not in FORMATS or tensor.numel() < 2:
            continue
        if (tensor == tensor.flatten()[0]).all():
            continue
        for own, weight in weights.items():
            if tensor.dtype == weight.dtype and _is_same(tensor, weight):
                found[name] = own
                break
    return found


def _is_same(tensor: Tensor, weight: Tensor) -> bool:
    if torch.equal(tensor, weight):
        return True
    return tensor.ndim == weight.ndim == 2 and torch.equal(tensor.t(), weight)


def require_none(
    layout: Layout,
    tensors: Mapping[str, Tensor],
    leftovers: Sequence[str],
    missing: Sequence[str],
    n_layers: int,
) -> None:
    """Check that all of the weights are there, and nothing else.

    Args:
        tensors: by the names that they were brought to.
        leftovers: which of them are none of the layout's.
        missing: the weights that are not there, by TransformerLens's names.

    Raises:
        InputError: it is not so; the message names what is missing, what is left over, and what
            would mend it.
    """
    if not leftovers and not missing:
        return
    lacking = [layout.own_name(name) for name in missing]
    likely = _likely(layout, tensors, leftovers, lacking)
    remedy = f"; try {first_few(likely, ' ')}" if likely else ""
    if not lacking:
        key = leftovers[0]
        others = f" (and so are {first_few(leftovers[1:])})" if leftovers[1:] else ""
        raise InputError(
            f"{key}: unknown, and so is what it does{others}{_nearly(key, layout, tensors)}; "
            f"expected the weights of a {layout.name} alone: {', '.join(layout.weights)} (# is a "
            f"layer){remedy or _left_out(key)}"
        )
    besides = f", and {first_few(lacking[1:])} too" if lacking[1:] else ""
    over = f"; left over: {first_few(leftovers)}" if leftovers else ""
    raise InputError(
        f"{lacking[0]}: missing{besides}; expected a {layout.name} with n_layers {n_layers}"
        f"{over}{remedy}" + ("; --rename FROM=TO says which is which" if leftovers else "")
    )


def _left_out(key: str) -> str:
    return f"; where no answer depends on it, --rename '{without_numbers(key)}=' leaves it out"


def _nearly(key: str, layout: Layout, tensors: Mapping[str, Tensor]) -> str:
    """The weight that a tensor might be taken for a copy of, by its shape, and how far it is."""
    tensor = tensors[key]
    alike = [
        own
        for own, weight in tensors.items()
        if layout.has(own) and weight.shape == tensor.shape and weight.dtype == tensor.dtype
    ]
    if not alike or not tensor.is_floating_point():
        return ""
    own = max(alike, key=lambda name: likeness(key, name))
    distance = (tensor.double() - tensors[own].double()).abs().max().item() if tensor.numel() else 0
    return f", nor is it a copy of {own}, from which it differs by up to {distance:.3g}"


def _likely(
    layout: Layout, tensors: Mapping[str, Tensor], leftovers: Sequence[str], lacking: Sequence[str]
) -> list[str]:
    """The options that would make leftovers of the weights that are missing, the likeliest pair
    of names first, each name once.
    """
    over = {without_numbers(name): name for name in leftovers[:MOST_COMPARED]}
    wanted = dict.fromkeys(map(without_numbers, lacking))
    pairs = [
        (likeness(old, new), old, new)
        for old in over
        for new in wanted
        if tensors[over[old]].ndim == len(layout.weights[new].axes.groups)
        and old.count("#") >= new.count("#")
    ]
    taken: set[str] = set()
    options = []
    for score, old, new in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if score >= LIKELY and not {old, new} & taken:
            taken |= {old, new}
            options.append(f"--rename '{old}={new}'")
    return options


def likeness(one: str, other: str) -> float:
    """How like two names are: in all their letters, and in those of their last words."""
    lasts = [
        "".join(c for c in name.split(".")[-1] if c.isalnum()).casefold() for name in (one, other)
    ]
    whole = difflib.SequenceMatcher(None, one.casefold(), other.casefold()).ratio()
    return (whole + difflib.SequenceMatcher(None, *lasts).ratio()) / 2
