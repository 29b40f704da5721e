"""Whether what a device computes is held against the CPU, and how closely."""

import pytest
import torch
from torch import Tensor

from mitool.core.agreement import Compute, disagreements, require_agreement
from mitool.core.device import HOST, Device
from mitool.core.errors import RunError
from tests.fake_device import PLACE, fake_mps


def made(
    found: dict[str, Tensor], expected: dict[str, Tensor], exact: dict[str, Tensor]
) -> Compute:
    """Something that is ``found`` on the device, and on the CPU is as given in each format."""

    def compute(device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        if device == PLACE:
            return found
        return expected if dtype == torch.float32 else exact

    return compute


def wrong(
    found: dict[str, list[float]], expected: dict[str, list[float]], **exact: list[float]
) -> list[str]:
    sides = (found, expected, expected | exact)
    compute = made(*({k: torch.tensor(v) for k, v in side.items()} for side in sides))
    with fake_mps():
        return [str(one) for one in disagreements(Device("mps"), compute)]


def test_what_is_the_same_to_rounding_agrees() -> None:
    assert wrong({"y": [1.0, 2.001]}, {"y": [1.0, 2.0]}) == []


def test_what_differs_is_named_the_worst_first() -> None:
    found = {"x": [1.0], "y": [1.0, 2.1], "z": [float("nan")]}
    assert wrong(found, {"x": [1.0], "y": [1.0, 2.0], "z": [1.0]}) == [
        "z differs by inf of its largest value",
        "y differs by 0.05 of its largest value",
    ]


def test_what_is_little_but_rounding_may_differ_by_as_much() -> None:
    found, expected = {"x": [1.0], "g": [1e-3]}, {"x": [1.0], "g": [1.1e-3]}
    assert wrong(found, expected, g=[1.09e-3]) == []
    assert wrong(found, expected, g=[1.0999e-3]) == ["g differs by 0.091 of its largest value"]


def test_what_is_0_on_the_cpu_may_be_anything_at_the_rounding_of_the_rest() -> None:
    assert wrong({"x": [1.0], "g": [5e-8]}, {"x": [1.0], "g": [0.0]}) == []
    assert wrong({"x": [1.0], "g": [5e-6]}, {"x": [1.0], "g": [0.0]}) != []


def test_float64_is_held_to_its_own_rounding() -> None:
    def compute(device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"y": torch.tensor([1.0 + 1e-7 * (device == PLACE)], dtype=torch.float64)}

    with fake_mps():
        assert len(disagreements(Device("mps", "float64"), compute)) == 1


def test_a_device_that_differs_is_refused_with_what_differs() -> None:
    compute = made({"the loss": torch.tensor(1.5)}, *[{"the loss": torch.tensor(1.0)}] * 2)
    with fake_mps(), pytest.raises(RunError) as caught:
        require_agreement(Device("mps"), compute, "the first step")
    assert str(caught.value) == (
        "device mps: expected the first step as the CPU gives it, to 0.001 of the largest value, "
        "found that the loss differs by 0.5 of its largest value: this device computes wrong under "
        f"torch {torch.__version__}; use --device cpu, or another version of torch"
    )


@pytest.mark.parametrize("name", ["cpu", "cuda:0"])
def test_a_device_that_is_not_doubted_computes_nothing_twice(name: str) -> None:
    require_agreement(Device(name), lambda device, dtype: pytest.fail("computed"), "anything")


def test_the_cpu_agrees_with_itself() -> None:
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(20, 20, generator=draws)

    def compute(device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        assert device == HOST
        return {"y": x.to(device, dtype) @ x.to(device, dtype)}

    assert disagreements(Device("cpu"), compute) == []
