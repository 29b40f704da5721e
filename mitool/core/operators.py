"""Torch's operators on a device, on operands of every layout, held against the CPU.

Drivers have computed wrong without a word on operands that are not contiguous: MPS in releases 2.7
to 2.13 of torch, in products, in ``masked_fill`` and in updates in place. The reference is the CPU
in float64, on contiguous operands, so that the CPU itself can be checked too.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mitool.core.errors import RunError, plain

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-8}
"""How far values may be from the CPU's, as a share of the largest of them.

A sum of n products in another order differs by about sqrt(n) times 6e-8 in float32, and what later
layers make of it adds up likewise: to 1e-4 after 32 layers of width 4096, to 1e-6 in a toy. What is
read from the wrong place differs by about 1. Float64 is finer, and its bound smaller.
"""

Operands = tuple[Tensor, ...]


@dataclass(frozen=True)
class Operator:
    """An operator with what it is tried on.

    Attributes:
        name: torch's.
        apply: computes it; the operands are random numbers.
        shapes: of its operands.
        in_place: whether it changes its first operand, of which no gradient is taken then.
    """

    name: str
    apply: Callable[..., Tensor]
    shapes: tuple[tuple[int, ...], ...]
    in_place: bool = False


LAYOUTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.mT.contiguous().mT,
    "strided": lambda x: torch.stack([x, -x], dim=-1).flatten(-2)[..., ::2],
    "offset": lambda x: torch.cat([-x, x], dim=-1)[..., x.shape[-1] :],
    "broadcast": lambda x: x[..., :1, :].expand_as(x),
}
"""The same numbers in other places of memory; a broadcast operand repeats its first row."""

ROWS, INDEX = (6, 8), torch.tensor([5, 0, 3])
FOUR = ((6, 8),) * 4

OPERATORS = (
    Operator("matmul", torch.matmul, ((6, 8), (8, 7))),
    Operator("matmul of a batch", torch.matmul, ((3, 6, 8), (8, 7))),
    Operator("matmul of heads", torch.matmul, ((2, 3, 6, 8), (2, 3, 8, 6))),
    Operator("bmm", torch.bmm, ((3, 6, 8), (3, 8, 7))),
    Operator("addmm", torch.addmm, ((6, 7), (6, 8), (8, 7))),
    Operator("baddbmm", torch.baddbmm, ((3, 6, 7), (3, 6, 8), (3, 8, 7))),
    Operator("linear", lambda x, w, b: F.linear(x, w, b[0]), ((3, 6, 8), (7, 8), (1, 7))),
    Operator("einsum", lambda x, w: torch.einsum("bqhd,bkhd->bhqk", x, w), ((2, 5, 3, 4),) * 2),
    Operator("masked_fill", lambda x, y: x.masked_fill(y > 0, -2.0), (ROWS, ROWS)),
    Operator("where", lambda x, y: torch.where(x > y, x, y), (ROWS, ROWS)),
    Operator("add", torch.add, (ROWS, ROWS)),
    Operator("mul", torch.mul, (ROWS, ROWS)),
    Operator("softmax", lambda x: x.softmax(-1), (ROWS,)),
    Operator("log_softmax", lambda x: x.log_softmax(-1), (ROWS,)),
    Operator("layer_norm", lambda x, w: F.layer_norm(x, (8,), w[0], w[1]), (ROWS, (2, 8))),
    Operator("rms_norm", lambda x, w: F.rms_norm(x, (8,), w[0]), (ROWS, (2, 8))),
    Operator("relu", torch.relu, (ROWS,)),
    Operator("gelu", F.gelu, (ROWS,)),
    Operator("silu", F.silu, (ROWS,)),
    Operator("exp", torch.exp, (ROWS,)),
    Operator("sum", lambda x: x.sum(-2), (ROWS,)),
    Operator("cumsum", lambda x: x.cumsum(-1), (ROWS,)),
    Operator("amax", lambda x: x.amax(-1), (ROWS,)),
    Operator("sort", lambda x: x.sort(-1).values, (ROWS,)),
    Operator("cat", lambda x, y: torch.cat([x, y], -1), (ROWS, ROWS)),
    Operator("index_select", lambda x: x.index_select(0, INDEX.to(x.device)), (ROWS,)),
    Operator("gather", lambda x, y: x.gather(-1, y.argsort(-1)), (ROWS, ROWS)),
    Operator("embedding", lambda x: F.embedding(INDEX.to(x.device), x), (ROWS,)),
    Operator("copy_", lambda x, y: x.copy_(y), FOUR[:2], in_place=True),
    Operator("add_", lambda x, y: x.add_(y, alpha=0.3), FOUR[:2], in_place=True),
    Operator("mul_", lambda x, y: x.mul_(y), FOUR[:2], in_place=True),
    Operator("masked_fill_", lambda x, y: x.masked_fill_(y > 0, 3), FOUR[:2], in_place=True),
    Operator("lerp_", lambda x, y: x.lerp_(y, 0.1), FOUR[:2], in_place=True),
    Operator("addcmul_", lambda x, y, z: x.addcmul_(y, z), FOUR[:3], in_place=True),
    Operator("addcdiv_", lambda x, y, z: x.addcdiv_(y, z.exp()), FOUR[:3], in_place=True),
    Operator(
        "index_copy_",
        lambda x, y: x.index_copy_(0, INDEX.to(x.device), y),
        (ROWS, (3, 8)),
        in_place=True,
    ),
)


def wrong_operators(device: torch.device) -> list[str]:
    """What a device computes otherwise than the CPU, in words; nothing where all is right.

    Each operator is tried in float32 with its operands contiguous, with each of them alone in every
    other layout, and with all of them; its value and the gradients of the operands are compared.
    """
    found = []
    with torch.inference_mode(False), torch.enable_grad():
        for operator in OPERATORS:
            for layouts in _layouts(operator):
                faults = _faults(operator, layouts, device)
                if faults:
                    operands = ", ".join(layouts) + " operand" + "s" * (len(layouts) > 1)
                    found.append(f"{operator.name} of {operands}: {'; '.join(faults)}")
    return found


@functools.cache
def require_operators(device: torch.device) -> None:
    """Check once that a device computes what the CPU does.

    Raises:
        RunError: it does not; and each time that it is asked again.
    """
    if wrong := wrong_operators(device):
        others = f" (and {len(wrong) - 1} more, which mitool doctor lists)" if wrong[1:] else ""
        raise RunError(
            f"device {device}: expected torch's operators to compute what they do on the CPU, "
            f"found wrong: {wrong[0]}{others}; use --device cpu, or another version of torch than "
            f"{torch.__version__}"
        )


def relative_difference(
    found: Float[Tensor, "*value"], expected: Float[Tensor, "*value"], least: float = 0.0
) -> float:
    """The largest difference as a share of the largest value; infinite where a number is none.

    Where what is expected is itself no finite number, nothing is compared.

    Args:
        least: what the largest value is taken for at the least.
    """
    found, expected = (x.detach().cpu().double() for x in (found, expected))
    is_known = expected.isfinite()
    differences, values = (found - expected)[is_known].abs(), expected[is_known].abs()
    if not len(values):
        return 0.0
    if not differences.isfinite().all():
        return torch.inf
    difference, largest = differences.max().item(), max(values.max().item(), least)
    if not largest:
        return torch.inf if difference else 0.0
    return difference / largest


def _layouts(operator: Operator) -> Iterator[tuple[str, ...]]:
    """The layouts of its operands, one combination at a time."""
    n, plain = len(operator.shapes), "contiguous"
    yield (plain,) * n
    for layout in list(LAYOUTS)[1:]:
        combinations = {(layout,) * n}
        combinations |= {(plain,) * i + (layout,) + (plain,) * (n - i - 1) for i in range(n)}
        for layouts in sorted(combinations):
            if not (operator.in_place and layouts[0] == "broadcast"):
                yield layouts


def _faults(operator: Operator, layouts: tuple[str, ...], device: torch.device) -> list[str]:
    draws = torch.Generator().manual_seed(len(operator.name))
    numbers = [torch.randn(shape, generator=draws) for shape in operator.shapes]
    laid_out = [(LAYOUTS[name], x) for name, x in zip(layouts, numbers, strict=True)]
    expected = _computed(operator, [layout(x.double()).contiguous() for layout, x in laid_out])
    try:
        found = _computed(operator, [layout(x.to(device, copy=True)) for layout, x in laid_out])
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as failure:  # how torch says that a device lacks an operator
        return [f"cannot be computed ({plain(str(failure).partition(chr(10))[0])})"]
    far = {name: relative_difference(found[name], expected[name]) for name in expected}
    return [
        f"{name} differs by {share:z.2g} of the largest"
        for name, share in far.items()
        if not share <= TOLERANCE[torch.float32]
    ]


def _computed(operator: Operator, operands: list[Tensor]) -> dict[str, Tensor]:
    """The value, and the gradient of each operand for a sum of squares."""
    if operator.in_place:
        with torch.no_grad():
            return {"value": operator.apply(*operands)}
    leaves = [operand.detach().requires_grad_() for operand in operands]
    value = operator.apply(*leaves)
    value.square().sum().backward()
    gradients = {
        f"the gradient of operand {number}": leaf.grad
        for number, leaf in enumerate(leaves, start=1)
        if leaf.grad is not None
    }
    return {"value": value, **gradients}
