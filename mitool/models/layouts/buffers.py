"""What state dicts hold beside weights: masks, constants and counts."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mitool.core.errors import InputError

MASKS = ("mask", "causal_mask", "attn_mask", "attention_mask", "tril", "triu")
CONSTANTS = ("IGNORE", "masked_bias", "n_averaged", "num_batches_tracked")
POSITIONS = ("position_ids", "pos_ids", "positions", "pos")
EXPECTED = (".attn.mask", ".attn.IGNORE")
"""The ends of the names of what TransformerLens itself saved."""


@dataclass(frozen=True)
class Buffer:
    """A tensor that is no weight.

    Attributes:
        attention_dir: what a mask shows; None where it shows nothing, or is none.
    """

    attention_dir: Literal["causal", "bidirectional"] | None = None


def buffer_of(name: str, tensor: Tensor) -> Buffer | None:
    """What a tensor is that is no weight, by its name and its values; None where it may be one.

    Raises:
        InputError: it is a mask that no toy transformer has.
    """
    *_, parent, leaf = ("", *name.split("."))
    if leaf in CONSTANTS and tensor.numel() == 1:
        return Buffer()
    if leaf in POSITIONS and _counts_up(tensor):
        return Buffer()
    is_square = tensor.ndim >= 2 and tensor.shape[-1] == tensor.shape[-2] > 0
    if leaf in MASKS and is_square:
        return _mask(name, tensor)
    is_named_bias = leaf == "bias" and parent in ("attn", "attention") and tensor.ndim >= 3
    return _mask(name, tensor) if is_named_bias and is_square else None


def _counts_up(tensor: Tensor) -> bool:
    if tensor.is_floating_point() or tensor.is_complex() or tensor.ndim == 0:
        return False
    return torch.equal(tensor.flatten().long(), torch.arange(tensor.numel()))


def _mask(name: str, tensor: Tensor) -> Buffer:
    """The direction of attention that a mask shows, whichever of its places say what is hidden:
    those that are 0 or those that are not.
    """
    length = tensor.shape[-1]
    marked = tensor.reshape(-1, length, length).bool()
    if marked.all() or not marked.any():
        return Buffer("bidirectional" if length > 1 else None)
    lower = torch.ones(length, length, dtype=torch.bool).tril()
    if (marked == lower).all() or (marked == ~lower).all():
        return Buffer("causal")
    raise InputError(
        f"{name}: expected a mask that is causal or hides nothing, found another; toy transformers "
        "have no such attention"
    )
