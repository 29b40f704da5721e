import os

import pytest
import torch

from mitool.core import device
from mitool.core.device import generator, resolve
from mitool.core.errors import RunError, UsageError
from mitool.core.machine import available_cores
from mitool.core.memory import out_of_memory_is_an_error


def test_auto_takes_cuda_where_there_is_one_and_the_cpu_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "_cuda_count", lambda: 0)
    assert resolve("auto").name == "cpu"
    monkeypatch.setattr(device, "_cuda_count", lambda: 2)
    assert resolve("auto").name == "cuda:0"
    assert resolve("cuda:1").name == "cuda:1"


def test_a_device_that_is_not_there_is_a_failed_run_that_says_what_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "_cuda_count", lambda: 1)
    with pytest.raises(RunError, match="'cuda:3' is not there: this machine has cpu, cuda:0"):
        resolve("cuda:3")


@pytest.mark.parametrize("request_", ["gpu", "cpu:0", "cuda:x", "cuda:-1", "", "mps:1"])
def test_a_word_that_is_no_device_is_wrong_usage(request_: str) -> None:
    with pytest.raises(UsageError, match="expected auto, cpu, cuda, cuda:INDEX or mps"):
        resolve(request_)


def test_threads_are_bounded_by_the_cores() -> None:
    cores = available_cores()
    with pytest.raises(UsageError, match=f"expected 1 to {cores}"):
        resolve("cpu", threads=cores + 1)
    with pytest.raises(UsageError):
        resolve("cpu", threads=0)


def test_threads_and_determinism_are_restored() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with resolve("cpu", threads=1, deterministic=True).active():
            assert torch.get_num_threads() == 1
            assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 3
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before)


def test_generators_depend_on_seed_and_purpose_alone() -> None:
    def draw(seed: int, *purpose: str | int) -> int:
        return int(torch.randint(2**62, (1,), generator=generator(seed, *purpose)))

    assert draw(0, "batch", 3) == draw(0, "batch", 3)
    assert len({draw(s, p, i) for s in (0, 1) for p in ("batch", "init") for i in (0, 1)}) == 8


@pytest.mark.parametrize(
    "failure", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: ..")]
)
def test_running_out_of_memory_is_a_failed_run(failure: Exception) -> None:
    with (
        pytest.raises(RunError, match="out of memory; buy more"),
        out_of_memory_is_an_error("buy more"),
    ):
        raise failure


def test_other_errors_pass_through_the_memory_guard() -> None:
    with pytest.raises(RuntimeError, match="something else"), out_of_memory_is_an_error("x"):
        raise RuntimeError("something else")


def test_free_memory_is_that_of_the_machine() -> None:
    assert 2**20 < resolve("cpu").free_memory() < 2**50


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (MemoryError(), "out of memory; take less"),
        (RuntimeError("std::bad_alloc"), "out of memory; take less"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory; take less"),
        (OSError(12, "Cannot allocate memory"), "out of memory; take less"),
        (RuntimeError("can't start new thread"), "out of memory for another thread; take less"),
    ],
    ids=str,
)
def test_every_way_to_run_out_of_memory_is_one_error(failure: Exception, said: str) -> None:
    with pytest.raises(RunError, match=f"^{said}$"), out_of_memory_is_an_error("take less"):
        raise failure


def test_a_deterministic_device_leaves_the_environment_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = dict(os.environ)
    with resolve("cpu", deterministic=True).active():
        assert torch.are_deterministic_algorithms_enabled()
    assert dict(os.environ) == before
    with device._workspace(True):  # as on CUDA
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert dict(os.environ) == before
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with device._workspace(True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
