"""What a file holds beyond a layout's weights, and what it lacks of them."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from mitool.core.errors import InputError, first_few, quoted
from mitool.models.layouts.base import FORMATS, Layout
from mitool.storage.state_keys import without_numbers

MOST_COMPARED = 50
"""Names of a file that are compared with those that are missing."""

NEAR = 0.2
"""How far, in the largest of a weight's values, what was once a copy of it may be."""

PRETRAINED = re.compile(
    r"(?:^|\.)(?:gate_proj|gate_up_proj|c_attn|query_key_value|qkv_proj|Wqkv)\.weight$"
)
"""Names in transformers' models of what a toy has not: gated MLPs, and queries, keys and values in
one weight.
"""

LIKELY = 0.5
"""How like two names are, from 0 to 1, of which one may be meant by the other."""


def copies(leftovers: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, str]:
    """By name, the weight that a tensor is a copy of, its bits or those of its transpose the same.

    A tensor of one value throughout is a copy only where its name has the weight's too: so are
    many that are in use, such as biases at 0.
    """
    found = {}
    for name, tensor in leftovers.items():
        if tensor.dtype not in FORMATS or not tensor.numel():
            continue
        is_constant = bool((tensor == tensor.flatten()[0]).all())
        for own, weight in weights.items():
            is_same = tensor.dtype == weight.dtype and _is_same(tensor, weight)
            if is_same and (not is_constant or _has_name(name, own)):
                found[name] = own
                break
    return found


def _has_name(name: str, own: str) -> bool:
    leaf = own.rpartition(".")[2]
    return name.endswith(f".{own}") or ("_" in leaf and leaf in name)


def _is_same(tensor: Tensor, weight: Tensor) -> bool:
    if torch.equal(tensor, weight):
        return True
    return tensor.ndim == weight.ndim == 2 and torch.equal(tensor.t(), weight)


def require_no_pretrained(names: Collection[str]) -> None:
    """Check that names are not those of a pretrained model, which no renaming makes a toy.

    Raises:
        InputError: they are.
    """
    found = next((name for name in names if PRETRAINED.search(name)), None)
    if found is not None:
        raise InputError(
            f"expected the state dict of a toy transformer, found names of a model of Hugging "
            f"Face's transformers ({quoted(found)}); put it into a folder with its config.json and "
            "tokenizer, and give that folder to patch or an analysis"
        )


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
        others = f" (and so are {_shown(leftovers[1:])})" if leftovers[1:] else ""
        raise InputError(
            f"{key}: unknown, and so is what it does{others}{_nearly(key, layout, tensors)}; "
            f"expected the weights of a {layout.name} alone: {', '.join(layout.weights)} (# is a "
            f"layer){remedy or _left_out(leftovers)}"
        )
    besides = f", and {_shown(lacking[1:])} too" if lacking[1:] else ""
    over = f"; left over: {_shown(leftovers)}" if leftovers else ""
    hint = "; --rename FROM=TO says which is which" if leftovers and not likely else ""
    raise InputError(
        f"{lacking[0]}: missing{besides}; expected a {layout.name} with n_layers {n_layers}"
        f"{over}{remedy}{hint}"
    )


def _shown(names: Sequence[str]) -> str:
    """A few names, or of more those of each kind of layer once."""
    return first_few(list(dict.fromkeys(map(without_numbers, names))) if names[4:] else names)


def _left_out(leftovers: Sequence[str]) -> str:
    """The option that leaves out what is left over, or all that begins like it."""
    first = leftovers[0].partition(".")[0]
    is_shared = len(leftovers) > 1 and all(key.startswith(f"{first}.") for key in leftovers)
    pattern = f"{first}.*" if is_shared else without_numbers(leftovers[0])
    return f"; where no answer depends on it, --rename '{pattern}=' leaves it out"


def _nearly(key: str, layout: Layout, tensors: Mapping[str, Tensor]) -> str:
    """The weight that a tensor might be taken for a copy of, and how far from it the tensor is:
    the nearest by its values, or else by a word of its name.
    """
    tensor = tensors[key]
    if tensor.dtype not in FORMATS or not tensor.numel():
        return ""
    distances = {
        own: (tensor.double() - weight.double()).abs().max().item()
        for own, weight in tensors.items()
        if layout.has(own) and weight.shape == tensor.shape and weight.dtype == tensor.dtype
    }
    near = [n for n, far in distances.items() if far <= NEAR * tensors[n].abs().max().item()]
    alike = [n for n in distances if _words(n) & _words(key)]
    if near:
        own = min(near, key=lambda name: distances[name])
    elif alike:
        own = max(alike, key=lambda name: likeness(key, name))
    else:
        return ""
    if not distances[own]:
        return (
            f", though its values are those of {own}, all of them {tensor.flatten()[0].item():zg}"
        )
    return f", nor is it a copy of {own}, from which it differs by up to {distances[own]:z.3g}"


def _words(name: str) -> set[str]:
    """The words of a name, but for letters and what every layer has."""
    return {word for word in re.split(r"[\W\d_]+", name) if len(word) > 1} - {"blocks", "weight"}


def _likely(
    layout: Layout, tensors: Mapping[str, Tensor], leftovers: Sequence[str], lacking: Sequence[str]
) -> list[str]:
    """The options that would make leftovers of the weights that are missing, the likeliest pair
    of names first, each name once.
    """
    over = {without_numbers(name): name for name in leftovers[:MOST_COMPARED]}
    present = set(map(without_numbers, tensors))
    optional = [
        own
        for own, weight in layout.weights.items()
        if own not in present and (".b_" in weight.name or weight.name == "pos_embed.W_pos")
    ]
    wanted = dict.fromkeys([*map(without_numbers, lacking), *optional])
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
    first, second = (
        "".join(filter(str.isalnum, name.rpartition(".")[2])).casefold() for name in (one, other)
    )
    whole = difflib.SequenceMatcher(None, one.casefold(), other.casefold()).ratio()
    return (whole + difflib.SequenceMatcher(None, first, second).ratio()) / 2
