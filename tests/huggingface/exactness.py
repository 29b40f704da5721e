"""Hugging Face models in float64 throughout, where their code would go by float32."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

SOFTMAXES = (torch.softmax, torch.nn.functional.softmax, Tensor.softmax)
PRODUCTS = (
    torch.matmul,
    torch.bmm,
    torch.nn.functional.linear,
    Tensor.matmul,
    Tensor.__matmul__,
    Tensor.bmm,
)


@contextmanager
def exactly_float64() -> Iterator[None]:
    """Run models in float64 to its end: casts of float64 tensors to float32 are ignored.

    The code of many a model casts to float32 in norms, in softmax and in rotary embeddings, which
    is more precise than float16 but less than float64. Whole numbers that become floating ones
    become float64 (positions), and a product of float32 and float64 is one in float64.
    """
    with _Float64():
        yield


class _Float64(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.float:
            return _raised(args[0])
        if func in (Tensor.to, Tensor.type) and _is_double(args[0]):
            args = [x for x in args if x is not torch.float32]
            kwargs = {name: x for name, x in kwargs.items() if x is not torch.float32}
            if len(args) == 1 and not kwargs:
                return args[0]
        if func in SOFTMAXES and _is_double(args[0]):
            kwargs = {name: x for name, x in kwargs.items() if x is not torch.float32}
        if func in PRODUCTS and any(_is_double(x) for x in args):
            args = [_raised(x) if isinstance(x, Tensor) else x for x in args]
        return func(*args, **kwargs)


def _is_double(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype is torch.float64


def _raised(x: Tensor) -> Tensor:
    return x if x.dtype is torch.float64 else x.to(torch.float64)
