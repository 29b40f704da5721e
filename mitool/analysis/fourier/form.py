"""The coordinate in which a task of modular arithmetic is the addition of Z_n."""

from dataclasses import dataclass
from math import isqrt

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.core.errors import InputError, UsageError
from mitool.tasks import Task
from mitool.tasks.modadd import ModAdd


@dataclass(frozen=True)
class CyclicForm:
    """A task as ``phase of the answer = phase of a + phase of b (mod order)``.

    Attributes:
        order: n, the number of phases.
        operands: the operand tokens that take part.
        phases_a: the phase of each operand token as the first operand.
        phases_b: the same as the second operand.
        outputs: the answer token of each phase 0, 1, .., n - 1.
        difference: what the trig identity is about, such as ``a + b - c``.
        modulus: what it is taken modulo, in words.
        is_exact: whether each phase is one operand's; else functions of different frequencies
            are not orthogonal on the operands.
    """

    order: int
    operands: Int[Tensor, " operand"]
    phases_a: Int[Tensor, " operand"]
    phases_b: Int[Tensor, " operand"]
    outputs: Int[Tensor, " phase"]
    difference: str
    modulus: str
    is_exact: bool = True

    @property
    def sums(self) -> Int[Tensor, "a b"]:
        """The phase of the right answer to each pair of operands."""
        return (self.phases_a[:, None] + self.phases_b[None, :]) % self.order


def cyclic_form(task: Task, source: object = "the checkpoint") -> CyclicForm:
    """The coordinate in which ``task`` is an addition modulo n.

    Args:
        source: names where the task comes from in an error.

    Raises:
        InputError: the task is no modular arithmetic.
        UsageError: it has no such form: multiplication modulo a number that is not prime.
    """
    if not isinstance(task, ModAdd):
        raise InputError(
            f"{source}: expected a model of modular arithmetic (task {ModAdd.name}), found one of "
            f"task {task.name}"
        )
    if task.op == "multiply":
        return _logarithmic(task.p)
    values = torch.arange(task.p)
    second, difference = {
        "add": (values, "a + b - c"),
        "subtract": (-values % task.p, "a - b - c"),
        "square-sum": (values**2 % task.p, "a² + b² - c"),
    }[task.op]
    first = second if task.op == "square-sum" else values
    is_exact = len(first.unique()) == task.p
    return CyclicForm(task.p, values, first, second, values, difference, str(task.p), is_exact)


def _logarithmic(p: int) -> CyclicForm:
    """Multiplication of the numbers 1 .. p - 1 as addition of their discrete logarithms."""
    root = primitive_root(p)
    if root is None or p == 2:
        raise UsageError(
            f"multiplication modulo {p} is no addition in any coordinate: expected a prime p >= 3, "
            "whose numbers 1 .. p - 1 are the powers of one of them"
        )
    powers = torch.tensor([pow(root, exponent, p) for exponent in range(p - 1)])
    logs = torch.arange(p - 1)
    difference = f"log a + log b - log c (base {root})"
    return CyclicForm(p - 1, powers, logs, logs, powers, difference, str(p - 1))


def primitive_root(p: int) -> int | None:
    """The least number whose powers are all of 1 .. p - 1 modulo ``p``; None unless p is prime."""
    if not _is_prime(p):
        return None
    factors = [q for q in range(2, p) if (p - 1) % q == 0 and _is_prime(q)]
    return next(g for g in range(1, p) if all(pow(g, (p - 1) // q, p) != 1 for q in factors))


def _is_prime(n: int) -> bool:
    return n >= 2 and all(n % divisor for divisor in range(2, isqrt(n) + 1))
