"""Whether a device computes a given thing as the CPU does, to rounding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.core.device import HOST, Device
from mitool.core.errors import RunError
from mitool.core.operators import TOLERANCE, relative_difference

ROUNDINGS = 30
"""How many times the CPU's own rounding another device's may be: sums of another order, and
functions of the other library, cost a few times.
"""

SMALL = 1e-4
"""As a share of the largest of all values, how large one is taken for at the least: a gradient that
is 0 by the model's construction may be anything at the rounding of the others.
"""

Compute = Callable[[torch.device, torch.dtype], Mapping[str, Float[Tensor, "..."]]]
"""Works something out on a device in a number format: values by what they are."""


@dataclass(frozen=True)
class Disagreement:
    """A value that a device computes otherwise than the CPU.

    Attributes:
        name: what it is.
        share: the largest difference as a share of the largest value; infinite where the device
            gives no finite number.
    """

    name: str
    share: float

    def __str__(self) -> str:
        return f"{self.name} differs by {self.share:z.2g} of its largest value"


def disagreements(device: Device, compute: Compute) -> list[Disagreement]:
    """What a device computes otherwise than the CPU beyond rounding, the worst first.

    Values may differ by ``TOLERANCE``. Where they differ by more, the CPU works them out in the
    other number format too, which shows its own rounding: a value in which much cancels, as the
    gradient of ``b_K`` that is 0 but for rounding, may differ by ``ROUNDINGS`` times that.
    """
    dtype = device.torch_dtype
    found, expected = compute(device.torch_device, dtype), compute(HOST, dtype)
    least = SMALL * max(map(_largest, expected.values()), default=0.0)

    def compared(others: Mapping[str, Tensor], name: str) -> float:
        return relative_difference(others[name], expected[name], least)

    shares = {name: compared(found, name) for name in expected}
    doubtful = {name: share for name, share in shares.items() if not share <= TOLERANCE[dtype]}
    if not doubtful:
        return []
    single, double = torch.float32, torch.float64
    otherwise = compute(HOST, double if dtype == single else single)
    finer = torch.finfo(dtype).eps / torch.finfo(single).eps
    rounding = {name: finer * compared(otherwise, name) for name in doubtful}
    wrong = [Disagreement(n, s) for n, s in doubtful.items() if not s <= ROUNDINGS * rounding[n]]
    return sorted(wrong, key=lambda one: one.share, reverse=True)


def require_agreement(device: Device, compute: Compute, what: str) -> None:
    """Check, on a device that is doubted, that it computes what the CPU does.

    Args:
        what: is worked out, for the message.

    Raises:
        RunError: it does not.
    """
    if not device.is_doubted or not (wrong := disagreements(device, compute)):
        return
    others = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    raise RunError(
        f"device {device.name}: expected {what} as the CPU gives it, to "
        f"{TOLERANCE[device.torch_dtype]:zg} of the largest value, found that {wrong[0]}{others}: "
        f"this device computes wrong under torch {torch.__version__}; use --device cpu, or another "
        "version of torch"
    )


def _largest(value: Float[Tensor, "..."]) -> float:
    known = value[value.isfinite()].abs()
    return known.max().item() if len(known) else 0.0
