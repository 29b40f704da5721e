"""Devices, number formats, threads, seeds and memory: the only module that names a device."""

import contextlib
import hashlib
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import psutil
import torch
from torch import Tensor

from mitool.core.errors import RunError, UsageError, quoted
from mitool.core.machine import available_cores, keep_freed_memory
from mitool.core.operators import require_operators

DTYPES = ("float32", "float64")
HOST = torch.device("cpu")
"""Where files are read to."""

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"

GIB = 2**30

MOST_DIGITS = 9
"""Of a device's index."""


@dataclass(frozen=True)
class Device:
    """Where and how tensors are computed.

    Attributes:
        name: ``cpu``, ``cuda:I`` or ``mps``.
        dtype: the format of weights and activations, ``float32`` or ``float64``.
        threads: CPU threads of torch's operators.
        deterministic: whether torch refuses operators that may differ from run to run.
        has_asked_threads: whether so many threads were asked for, and not just as many as pay.
    """

    name: str
    dtype: str = "float32"
    threads: int = 1
    deterministic: bool = False
    has_asked_threads: bool = True

    @property
    def torch_device(self) -> torch.device:
        return torch.device(self.name)

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    @property
    def is_cuda(self) -> bool:
        return self.torch_device.type == "cuda"

    @property
    def is_host(self) -> bool:
        return self.torch_device == HOST

    def on_host(self) -> "Device":
        """The CPU, with the same settings."""
        return replace(self, name=HOST.type)

    @property
    def is_doubted(self) -> bool:
        """Whether first batches are held against the CPU: MPS has computed wrong in silence."""
        return self.name == "mps"

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Set the thread count and deterministic mode, and restore them afterwards.

        Raises:
            RunError: it is not the CPU, and computes otherwise on small operands.
        """
        threads = torch.get_num_threads()
        deterministic = torch.are_deterministic_algorithms_enabled()
        current = torch.cuda.device(self.torch_device) if self.is_cuda else contextlib.nullcontext()
        torch.set_num_threads(self.threads)
        keep_freed_memory()
        try:
            if not self.is_host:
                _set_deterministic(False)  # which refuses some of what is tried
                require_operators(self.torch_device)
            _set_deterministic(self.deterministic)
            with current, _workspace(self.is_cuda and self.deterministic):
                yield
        finally:
            torch.set_num_threads(threads)
            _set_deterministic(deterministic)

    @contextlib.contextmanager
    def with_threads(self, threads: int) -> Iterator[None]:
        """Compute with so many threads of torch's meanwhile."""
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def free_memory(self) -> int:
        """Bytes that can still be allocated on the device."""
        if self.is_cuda:
            return torch.cuda.mem_get_info(self.torch_device)[0]
        return psutil.virtual_memory().available

    def synchronise(self) -> None:
        """Wait until what was started on the device is done, so that a clock can be read."""
        if self.is_cuda:
            torch.cuda.synchronize(self.torch_device)

    def describe(self) -> dict[str, object]:
        """The device's settings as plain values, for configs and reports."""
        return {
            "device": self.name,
            "dtype": self.dtype,
            "threads": self.threads,
            "deterministic": self.deterministic,
        }


def resolve(
    request: str = "auto",
    dtype: str = "float32",
    threads: int | None = None,
    deterministic: bool = False,
    *,
    resume: bool = False,
) -> Device:
    """Turn a request (``auto``, ``cpu``, ``cuda``, ``cuda:I``, ``mps``) into a device.

    ``auto`` takes the first CUDA device if there is one and the CPU otherwise: models of this
    size are slower on MPS than on the CPU, so MPS is used where it is asked for.

    Args:
        threads: of the CPU; left out, all cores.
        resume: it is for a run that may have begun on more cores: ``threads`` is then what may be
            used at the most.

    Raises:
        UsageError: the request is no device's name, ``dtype`` is neither float32 nor float64, or
            ``threads`` is not in 1..cores.
        RunError: the device is not there, or cannot compute in ``dtype``.
    """
    if dtype not in DTYPES:
        raise UsageError(f"dtype: expected {' or '.join(DTYPES)}, found {quoted(dtype)}")
    cores = available_cores()
    if resume and isinstance(threads, int) and threads > cores:
        threads = cores
    if threads is not None and not (isinstance(threads, int) and 1 <= threads <= cores):
        raise UsageError(f"threads: expected 1 to {cores}, as many cores, found {threads!r}")
    name = _resolve_name(request)
    if dtype == "float64" and not has_float64(torch.device(name)):
        raise RunError(f"device {name} has no float64; use --dtype float32 or --device cpu")
    return Device(name, dtype, threads or cores, deterministic, threads is not None)


def exact(threads: int | None = None) -> Device:
    """Where analyses compute that need float64: the CPU, which every machine has.

    Raises:
        UsageError: ``threads`` is not in 1..cores.
    """
    return resolve("cpu", "float64", threads)


def host(threads: int | None = None) -> Device:
    """Where pretrained models are studied: the CPU, in float32.

    Raises:
        UsageError: ``threads`` is not in 1..cores.
    """
    return resolve("cpu", threads=threads)


def available() -> list[str]:
    """The devices of this machine: the CPU always, then CUDA devices and MPS."""
    names = ["cpu"] + [f"cuda:{index}" for index in range(_cuda_count())]
    return names + ["mps"] * torch.backends.mps.is_available()


def device_label(name: str) -> str:
    """What a device is, in words: its product name and memory where they are known."""
    device = torch.device(name)
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / GIB:z.0f} GiB"
    if device.type == "mps":
        return "Apple GPU"
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} ({capability}), {available_cores()} cores"


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator for one purpose (such as ``"batch", 17``) of a seeded run.

    Each purpose has a stream of its own, found from the seed and the purpose alone: a run that
    is resumed at step 17 draws what the uninterrupted run drew, with no state to save.
    """
    return torch.Generator().manual_seed(_stream(seed, *purpose) >> 1)


def drawer(seed: int, *purpose: str | int) -> np.random.Generator:
    """The same as ``generator``, of numpy's, whose raw bits come several times as fast."""
    return np.random.Generator(np.random.SFC64(_stream(seed, *purpose)))


def _stream(seed: int, *purpose: str | int) -> int:
    words = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little")


def to_float64(x: Tensor) -> Tensor:
    """A copy in float64: on the device, or on the CPU where the device has no such format."""
    return x.to(x.device if has_float64(x.device) else HOST, torch.float64, copy=True)


def has_float64(device: torch.device) -> bool:
    """Whether a device computes in float64."""
    return device.type != "mps"


def capture(
    step: Callable[[], Tensor], warm_up: Callable[[], object]
) -> tuple[Callable[[], None], Tensor]:
    """Capture ``step`` in a CUDA graph of the current device.

    Args:
        warm_up: run first, on a stream of its own, as capturing asks for; it is to run the same
            operators, and to undo what they change.

    Returns:
        What replays the step, and the tensor that each replay fills with its result.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        warm_up()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = step()
    return graph.replay, result


def _resolve_name(request: str) -> str:
    if request == "auto":
        return "cuda:0" if _cuda_count() else "cpu"
    kind, colon, index = request.partition(":")
    is_index = not colon or (kind == "cuda" and index.isdecimal() and len(index) <= MOST_DIGITS)
    if kind not in ("cpu", "cuda", "mps") or not is_index:
        raise UsageError(
            f"device: expected auto, cpu, cuda, cuda:INDEX or mps, found {quoted(request)}"
        )
    name = f"cuda:{int(index or 0)}" if kind == "cuda" else kind
    if name not in available():
        raise RunError(
            f"device {request!r} is not there: this machine has {', '.join(available())}; "
            "choose one of these, or --device auto"
        )
    return name


def _set_deterministic(asked: bool) -> None:
    """Set torch's deterministic mode where it is another: torch loads its compiler to do so."""
    if torch.are_deterministic_algorithms_enabled() != asked:
        torch.use_deterministic_algorithms(asked)


@contextlib.contextmanager
def _workspace(is_fixed: bool) -> Iterator[None]:
    """Have cuBLAS compute in a workspace of a fixed size meanwhile, without which torch refuses to
    be deterministic; a size that the environment has already stays.
    """
    if not is_fixed or WORKSPACE in os.environ:
        yield
        return
    os.environ[WORKSPACE] = ":4096:8"
    try:
        yield
    finally:
        del os.environ[WORKSPACE]


def _cuda_count() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0
