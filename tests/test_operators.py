"""The table of operators, on the CPU and on devices that are made wrong."""

from typing import Any

import pytest
import torch

from mitool.core import operators
from mitool.core.device import HOST, Device
from mitool.core.errors import RunError
from mitool.core.operators import OPERATORS, relative_difference, wrong_operators
from tests.fake_device import PLACE, Fault, fake_mps, reads_as_contiguous, right, scales


def names_in(wrong: list[str]) -> set[str]:
    return {text.partition(" operand")[0].rpartition(" of ")[0] for text in wrong}


def few(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    chosen = tuple(operator for operator in OPERATORS if operator.name in names)
    assert len(chosen) == len(names)
    monkeypatch.setattr("mitool.core.operators.OPERATORS", chosen)


def test_all_is_right_on_the_cpu_and_on_a_device_that_is() -> None:
    assert wrong_operators(HOST) == []
    with fake_mps():
        assert wrong_operators(PLACE) == []


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ("addmm", "addmm"),
        ("mm", "matmul"),
        ("bmm", "bmm"),
        ("bmm", "einsum"),
        ("baddbmm", "baddbmm"),
        ("mm", "linear"),
        ("masked_fill", "masked_fill"),
        ("masked_fill_", "masked_fill_"),
        ("_softmax", "softmax"),
        ("copy_", "copy_"),
        ("lerp_", "lerp_"),
        ("addcmul_", "addcmul_"),
        ("addcdiv_", "addcdiv_"),
    ],
)
def test_operands_that_are_read_as_if_contiguous_are_found(
    wrong: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, name, "relu")
    with fake_mps(reads_as_contiguous(wrong)):
        found = wrong_operators(PLACE)
    assert names_in(found) == {name}
    assert any(" transposed" in text for text in found)


def test_a_gradient_alone_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "relu")
    with fake_mps(scales("threshold_backward", 1.01)):
        found = wrong_operators(PLACE)
    assert found[0] == (
        "relu of contiguous operand: the gradient of operand 1 differs by 0.01 of the largest"
    )
    assert len(found) == 5  # in every layout


def test_no_number_is_a_difference_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "exp")
    with fake_mps(scales("exp", float("nan"))):
        assert "value differs by inf of the largest" in wrong_operators(PLACE)[0]


def test_an_operator_that_is_lacking_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(operator: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if operator.overloadpacket.__name__ == "gelu":
            raise NotImplementedError("gelu is not implemented for this device\nmore")
        return operator(*arguments, **options)

    few(monkeypatch, "gelu", "relu")
    with fake_mps(lacks):
        found = wrong_operators(PLACE)
    said = "cannot be computed (gelu is not implemented for this device)"
    assert found[0] == f"gelu of contiguous operand: {said}"
    assert names_in(found) == {"gelu"}


@pytest.mark.parametrize(
    ("found", "expected", "share"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.1], [1.0, 2.0], 0.05),
        ([1.0, float("nan")], [1.0, 2.0], float("inf")),
        ([1.0, 5.0], [1.0, float("inf")], 0.0),
        ([0.1], [0.0], float("inf")),
        ([0.0], [0.0], 0.0),
        ([], [], 0.0),
    ],
)
def test_differences_are_shares_of_the_largest_value(
    found: list[float], expected: list[float], share: float
) -> None:
    difference = relative_difference(torch.tensor(found), torch.tensor(expected))
    assert difference == pytest.approx(share, rel=1e-6)


def activated(fault: Fault, times: int, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """How often the table is tried while a device is activated so many times."""
    tried: list[object] = []

    def counted(device: torch.device) -> list[str]:
        tried.append(device)
        return wrong_operators(device)

    few(monkeypatch, "addmm")
    monkeypatch.setattr(operators, "wrong_operators", counted)
    with fake_mps(fault):
        for _ in range(times):
            with Device("mps").active():
                pass
    return tried


def test_a_device_is_tried_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert activated(right, 3, monkeypatch) == [PLACE]


def test_a_device_that_computes_wrong_is_not_activated(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "found wrong: addmm of contiguous, contiguous, transposed operands: value differs by 1.8"
    with pytest.raises(RunError, match=said) as caught:
        activated(reads_as_contiguous("addmm"), 1, monkeypatch)
    assert "more, which mitool doctor lists); use --device cpu, or another version" in str(
        caught.value
    )


def test_the_cpu_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "wrong_operators", lambda device: pytest.fail("tried"))
    with Device("cpu").active():
        pass
