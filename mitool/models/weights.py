"""What weights from a file are held to before a model takes them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mitool.core.errors import InputError

FORMATS = (torch.float32, torch.float64)

HALVES = (torch.float16, torch.bfloat16)
"""Formats that weights are kept in, and that nothing is studied in."""


def widened(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Weights of a file, in float32 where all are in half precision, and what a user is to know of
    that.
    """
    formats = {value.dtype for value in tensors.values()}
    if not tensors or not formats <= {*HALVES}:
        return dict(tensors), ()
    kinds = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in formats))
    note = (
        f"the checkpoint's weights are in {kinds} and are studied in float32: they are as rounded "
        "as the file has them"
    )
    return {name: value.float() for name, value in tensors.items()}, (note,)


def require_floats(
    tensors: Mapping[str, Tensor], formats: tuple[torch.dtype, ...] = FORMATS
) -> None:
    """Check that weights are all of one of these formats.

    Raises:
        InputError: they are not.
    """
    if {value.dtype for value in tensors.values()} not in [{kind} for kind in formats]:
        names = [str(kind).removeprefix("torch.") for kind in formats]
        raise InputError(f"expected all weights in {', or all in '.join(names)}")


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Check that weights are finite numbers.

    Raises:
        InputError: one is not.
    """
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise InputError(f"weight {name} holds NaN or infinite values")
