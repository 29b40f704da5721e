"""Hooks on a model's modules that keep what goes in and out, or put something else in."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from mitool.models.decoder.original import HeadPatch


def called_with(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What a block is called with, by the names of its parameters."""
    found = inspect.signature(block.forward).bind(*args, **kwargs).arguments
    return {**found, **found.get("kwargs", {})}


@contextmanager
def inputs_kept(block: nn.Module, given: list[dict[str, Any]]) -> Iterator[None]:
    """Keep what a block is called with, by the names of its parameters."""

    def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given.append(called_with(module, args, kwargs))

    handle = block.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def output_kept(module: nn.Module, kept: dict[int, Tensor], layer: int) -> Iterator[None]:
    """Keep what a layer's module returns, the first of several things."""

    def keep(_: nn.Module, args: Any, output: Any) -> None:
        kept[layer] = output[0] if isinstance(output, tuple) else output

    handle = module.register_forward_hook(keep)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def z_replaced(writer: nn.Module, patch: HeadPatch, rows: slice) -> Iterator[None]:
    """Have a head's ``z`` be another one in some rows of a batch."""
    d_head = patch.z.shape[-1]
    columns = slice(patch.head * d_head, (patch.head + 1) * d_head)

    def put(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        z = args[0].clone()
        z[rows, :, columns] = patch.z.to(z)
        return (z, *args[1:])

    handle = writer.register_forward_pre_hook(put)
    try:
        yield
    finally:
        handle.remove()
