"""A device under the name of MPS, made of the CPU: it has no float64, and may compute wrong.

Its tensors say that they are on torch's device of no memory (``meta``), which every build of torch
has; what is computed on them is computed on the CPU within.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import adam, sgd
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

from mitool.core import device as devices
from mitool.core.device import Device
from mitool.core.operators import require_operators
from mitool.training import side_by_side

NAME, PLACE = "mps", torch.device("meta")

FROM_ELSEWHERE = ("copy_", "_to_copy", "index", "index_put", "index_put_", "_index_put_impl_")
"""What takes operands, or indices, that lie on the CPU."""

Fault = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""Computes an operator of torch's on some arguments, rightly or wrongly."""


def right(operator: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return operator(*arguments, **options)


def reads_as_contiguous(*names: str) -> Fault:
    """These operators take each operand for contiguous, whatever its strides: MPS's own fault."""

    def fault(operator: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        def misread(x: Any) -> Any:
            if not isinstance(x, Tensor) or x.is_contiguous() or not x.is_floating_point():
                return x
            flat = x.as_strided((x.numel(),), (1,)) if _is_dense(x) else x.contiguous().flatten()
            return flat.view(x.shape)

        if operator.overloadpacket.__name__ in names:
            arguments = tree_map(misread, arguments)
        return operator(*arguments, **options)

    return fault


def scales(name: str, factor: float) -> Fault:
    """An operator whose results are too large by a factor."""

    def fault(operator: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        found = operator(*arguments, **options)
        return found * factor if operator.overloadpacket.__name__ == name else found

    return fault


@contextlib.contextmanager
def fake_mps(fault: Fault = right) -> Iterator[None]:
    """Have a device ``mps`` while this lasts."""
    with pytest.MonkeyPatch.context() as patch, _Mode(fault), _Lists():
        real, place = devices.available, vars(Device)["torch_device"].fget
        patch.setattr(devices, "available", lambda: [*real(), NAME])
        of_name = property(lambda self: PLACE if self.name == NAME else place(self))
        patch.setattr(Device, "torch_device", of_name)
        patch.setattr(devices, "has_float64", lambda place: place != PLACE)
        for optimizer in (adam, sgd):
            patch.setattr(optimizer, "_device_dtype_check_for_fused", lambda weight: None)
        patch.setattr(side_by_side, "ThreadPoolExecutor", _NoThreads)
        require_operators.cache_clear()
        yield
        require_operators.cache_clear()


def untried(patch: pytest.MonkeyPatch) -> None:
    """Leave out the table of operators, which takes this device a second."""
    patch.setattr("mitool.core.operators.OPERATORS", ())


class _NoThreads(Executor):
    """Does at once what it is given: other threads would know nothing of the device."""

    def __init__(self, n_threads: int) -> None: ...

    def submit(self, work: Any, /, *arguments: Any, **options: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(work(*arguments, **options))
        return done


class _OnDevice(Tensor):
    held: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "_OnDevice":
        return Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=PLACE,
        )

    def __init__(self, inner: Tensor) -> None:
        self.held = inner

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], *_: object) -> "_OnDevice":
        return _OnDevice(inner["held"])

    def tolist(self) -> Any:
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch declares no signature for it
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise AssertionError("a tensor of the device is used by a thread that knows of none")


class _Lists(TorchFunctionMode):
    """Makes tensors of lists on the CPU first: for a device of no memory torch leaves them out."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.tensor and kwargs.get("device") is not None:
            return torch.tensor(*args, **{**kwargs, "device": None}).to(kwargs["device"])
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            places = args[1] if isinstance(args[1], tuple) else (args[1],)
            places = tuple(_index(x) if isinstance(x, list) else x for x in places)
            args = (args[0], places, *args[2:])
        return func(*args, **kwargs)


class _Mode(TorchDispatchMode):
    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = tree_flatten((args, kwargs))[0]
        is_given = any(isinstance(x, _OnDevice) for x in given)
        to = kwargs.get("device")
        is_on = is_given if to is None else torch.device(to) == PLACE
        if is_given and is_on:
            _require_one_place(func, given)
        host = {
            k: devices.HOST if k == "device" and v is not None else v for k, v in kwargs.items()
        }
        inner = tree_map(_inner, args), tree_map(_inner, host)
        found = self._fault(func, *inner) if is_on else func(*inner[0], **inner[1])
        if not is_on:
            return found
        wrapped = tree_map(_wrapped, found)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if is_given else wrapped


def _index(x: list[Any]) -> Tensor:
    return torch.tensor(x, dtype=None if x else torch.int64)


def _inner(x: Any) -> Any:
    return x.held if isinstance(x, _OnDevice) else x


def _wrapped(x: Any) -> Any:
    if not isinstance(x, Tensor):
        return x
    if x.dtype == torch.float64:
        raise TypeError("the device has no float64")
    return _OnDevice(x)


def _require_one_place(func: Any, given: list[Any]) -> None:
    """As any device does, refuse operands elsewhere, but single numbers."""
    others = [x for x in given if isinstance(x, Tensor) and not isinstance(x, _OnDevice) and x.ndim]
    if others and func.overloadpacket.__name__ not in FROM_ELSEWHERE:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device")


def _is_dense(x: Tensor) -> bool:
    """Whether its numbers fill a stretch of memory, each once."""
    last = sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True))
    return last + 1 == x.numel()
