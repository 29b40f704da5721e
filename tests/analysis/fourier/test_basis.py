"""The Fourier basis, the coordinates of the tasks, and the Gini coefficient."""

import math

import pytest
import torch

from mitool.analysis.fourier.basis import (
    by_frequency,
    fourier_basis,
    gini,
    key_frequencies,
    operand_basis,
    row_name,
    rows_of,
)
from mitool.analysis.fourier.form import cyclic_form, primitive_root
from mitool.core.errors import InputError, UsageError
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12, 113])
def test_the_basis_is_orthonormal_and_complete(n: int) -> None:
    basis = fourier_basis(n)
    torch.testing.assert_close(basis @ basis.T, torch.eye(n, dtype=torch.float64))


def test_rows_are_waves_of_their_names() -> None:
    basis = fourier_basis(6)
    names = [row_name(row) for row in range(6)]
    assert names == ["1", "cos 1", "sin 1", "cos 2", "sin 2", "cos 3"]
    for x in range(6):
        angle = 2 * math.pi * 2 * x / 6
        assert basis[3, x].item() == pytest.approx(math.sqrt(2 / 6) * math.cos(angle))
        assert basis[4, x].item() == pytest.approx(math.sqrt(2 / 6) * math.sin(angle))
        assert basis[5, x].item() == pytest.approx((-1) ** x / math.sqrt(6))
    assert [rows_of(k, 6) for k in (1, 2, 3)] == [[1, 2], [3, 4], [5]]


def test_power_is_summed_by_frequency() -> None:
    power = torch.tensor([100.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert by_frequency(power).tolist() == [3.0, 7.0, 5.0]
    assert by_frequency(power[:5]).tolist() == [3.0, 7.0]


@pytest.mark.parametrize("task", [ModAdd(p=29, op="square-sum"), ModAdd(p=6, op="square-sum")])
def test_functions_of_squares_are_orthonormal_within_each_frequency(task: ModAdd) -> None:
    form = cyclic_form(task)
    assert not form.is_exact
    basis = operand_basis(form.phases_a, form.order)
    for k in range(1, form.order // 2 + 1):
        rows = basis[[0, *rows_of(k, form.order)]]
        gram = rows @ rows.T
        alive = gram.diagonal() > 0.5
        torch.testing.assert_close(gram, torch.diag(alive.double()), atol=1e-9, rtol=0)
        wave = torch.cos(2 * math.pi * k * form.phases_a.double() / form.order)
        torch.testing.assert_close(rows.T @ (rows @ wave), wave)


@pytest.mark.parametrize(
    "task",
    [
        ModAdd(p=11),
        ModAdd(p=12),
        ModAdd(p=11, op="subtract"),
        ModAdd(p=11, op="multiply"),
        ModAdd(p=3, op="multiply"),
        ModAdd(p=11, op="square-sum"),
        ModAdd(p=2),
    ],
    ids=lambda task: f"{task.op}-{task.p}",
)
def test_the_form_gives_the_tasks_answers(task: ModAdd) -> None:
    form = cyclic_form(task)
    examples = task.examples()
    for i, a in enumerate(form.operands.tolist()):
        for j, b in enumerate(form.operands.tolist()):
            target = examples.targets[a * task.p + b, 0]
            assert form.outputs[form.sums[i, j]] == target


@pytest.mark.parametrize(("p", "root"), [(3, 2), (7, 3), (23, 5), (41, 6), (113, 3), (1, None)])
def test_primitive_roots(p: int, root: int | None) -> None:
    assert primitive_root(p) == root


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(UsageError, match="multiplication modulo 12 .* prime p >= 3"):
        cyclic_form(ModAdd(p=12, op="multiply"))
    with pytest.raises(UsageError, match="prime p >= 3"):
        cyclic_form(ModAdd(p=2, op="multiply"))
    with pytest.raises(InputError, match=r"x\.safetensors: expected .*modadd.* task min"):
        cyclic_form(Min(), "x.safetensors")


def test_gini() -> None:
    assert gini(torch.ones(5).double()) == pytest.approx(0)
    assert gini(torch.tensor([0.0, 0, 0, 7]).double()) == pytest.approx(1 - 1 / 4)
    values = torch.tensor([3.0, 1, 4, 1, 5, 9, 2, 6]).double()
    differences = (values[:, None] - values[None]).abs().sum().item()
    assert gini(values) == pytest.approx(differences / (2 * 8 * values.sum().item()))
    assert gini(torch.zeros(3)) is None


def test_key_frequencies_are_ordered_by_share() -> None:
    shares = torch.tensor([0.1, 0.5, 0.009, 0.2])
    assert key_frequencies(shares, 0.01) == [2, 4, 1]
    assert key_frequencies(shares, 0.9) == []
