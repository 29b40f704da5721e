"""Norms are recognised by what they compute, whatever their classes are called.

A norm of Hugging Face's may hold its weight or its weight less one, take the mean out or leave it
in, and have its epsilon under one of several names. Each possibility is tried on a few vectors, and
the one that gives the module's own results is taken.
"""

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from mitool.core.errors import InputError
from mitool.models.decoder import HeadNorm, Norm

EPS = ("eps", "variance_epsilon", "epsilon", "norm_eps")
"""Under which names modules have their epsilon."""

USUAL_EPS = (1e-5, 1e-6, 1e-8)
"""Those tried where a module has none under these names."""

PROBE_SIZES = (1.0, 1e-2)
"""Sizes of the vectors on which norms are compared: of the smaller ones epsilon is a part."""

CLOSE = 2e-5


def norm_of(module: nn.Module | None, width: int) -> Norm:
    """The norm that a module computes; of None, that which leaves everything as it is.

    Raises:
        InputError: it is none that is known.
    """
    if module is None:
        return Norm()
    probe = _probe(module, (4, width))
    weight, bias = _weight(module), _bias(module)
    for kind, eps, held in itertools.product(("LN", "RMS"), _epsilons(module), _weights(weight)):
        found = Norm("LN" if kind == "LN" else "RMS", held, bias, eps)
        if _agree(found, module, probe):
            return found
    raise _unknown(module)


def head_norm_of(module: nn.Module | None, n_heads: int, d_head: int) -> HeadNorm | None:
    """The norm of queries or keys that a module computes; None where there is none.

    Raises:
        InputError: it is none that is known.
    """
    if module is None:
        return None
    parts = getattr(module, "norms", None)
    if isinstance(parts, nn.ModuleList):
        return _stacked([norm_of(part, d_head) for part in parts])
    weight, bias = _weight(module), _bias(module)
    size = d_head if weight is None else weight.numel()
    spans = size == n_heads * d_head and weight is not None and weight.ndim == 1 and n_heads > 1
    if size not in (d_head, n_heads * d_head):
        raise _unknown(module)
    probe = _probe(module, (1, 3, n_heads, d_head))
    given = probe.flatten(-2) if spans else probe
    if weight is None:
        weight = probe.new_ones(d_head)
    shape = (-1, 1, d_head)
    for removes_mean, eps, held in itertools.product(
        (False, True), _epsilons(module), (weight, 1 + weight)
    ):
        shaped = None if bias is None else bias.reshape(shape)
        found = HeadNorm(removes_mean, held.reshape(shape), shaped, eps, spans)

        def computed(x: Tensor, found: HeadNorm = found) -> Tensor:
            heads = x.unflatten(-1, (n_heads, d_head)) if spans else x
            own = found(heads.transpose(-3, -2), n_heads).transpose(-3, -2)
            return own.flatten(-2) if spans else own

        if _agree(computed, module, given):
            return found
    raise _unknown(module)


def _stacked(norms: list[Norm]) -> HeadNorm:
    """A norm of each head by itself."""
    first = norms[0]
    weights = [norm.weight for norm in norms if norm.weight is not None]
    biases = [norm.bias for norm in norms if norm.bias is not None]
    assert len(weights) == len(norms), "the norms of heads have weights"
    bias = torch.stack(biases)[:, None] if biases else None
    return HeadNorm(first.kind == "LN", torch.stack(weights)[:, None], bias, first.eps, False)


def _weight(module: nn.Module) -> Tensor | None:
    weight = getattr(module, "weight", None)
    return weight.detach() if isinstance(weight, Tensor) else None


def _bias(module: nn.Module) -> Tensor | None:
    bias = getattr(module, "bias", None)
    return bias.detach() if isinstance(bias, Tensor) else None


def _weights(weight: Tensor | None) -> Iterator[Tensor | None]:
    if weight is None:
        yield None
    else:
        yield weight
        yield 1 + weight


def _epsilons(module: nn.Module) -> tuple[float, ...]:
    held = [getattr(module, name) for name in EPS if hasattr(module, name)]
    own = tuple(float(value) for value in held if isinstance(value, float | int))
    return own or USUAL_EPS


def _probe(module: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """Vectors to compare on, in the format and on the device of the module's weights."""
    like = next(iter(module.parameters()), None)
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 0.5
    return drawn if like is None else drawn.to(like)


@torch.no_grad()
def _agree(found: Callable[[Tensor], Tensor], module: nn.Module, probe: Tensor) -> bool:
    for size in PROBE_SIZES:
        x = probe * size
        own = module(x)
        if own.shape != x.shape:
            return False
        largest = own.abs().max().clamp(min=1e-6)
        if not (found(x) - own).abs().max() <= CLOSE * largest:
            return False
    return True


def _unknown(module: nn.Module) -> InputError:
    return InputError(
        f"its norm {type(module).__name__}: expected a LayerNorm or an RMSNorm, found one that "
        "computes neither"
    )
