"""The trig identity, term by term: how the neurons make it and the logits read it out.

cos w(a + b - c) = (cos wa cos wb - sin wa sin wb) cos wc + (sin wa cos wb + cos wa sin wb) sin wc
"""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.fourier.basis import fourier_basis, rows_of
from mitool.analysis.fourier.grid import GridSpectrum
from mitool.analysis.fourier.neurons import NeuronSpectrum

COS, SIN = 0, 1
PRODUCTS = ("cos a cos b", "sin a sin b", "sin a cos b", "cos a sin b")
_PLACES = ((COS, COS), (SIN, SIN), (SIN, COS), (COS, SIN))
READ_AS = (COS, COS, SIN, SIN)
"""The function of the output that each product is read out as."""

SIGNS = (1, -1, 1, 1)
"""The sign with which it stands in the identity."""


@dataclass(frozen=True)
class TrigIdentity:
    """One frequency's four products, in the order of ``PRODUCTS``.

    Attributes:
        in_neurons: the norm over neurons of each product's amplitude, in units of activation.
        in_neurons_sum: the share of the products' power that lies in the sum directions,
            cos w(a + b) and sin w(a + b); one half would be an accident.
        through_neurons: the amplitude, in units of logits, at which the neurons write each
            product to the function of the output that the identity asks for.
        in_logits: the amplitude at which it stands in the logits.
        stray: the amplitude of each product times the other function of the output.
    """

    in_neurons: tuple[float, ...] | None
    in_neurons_sum: float | None
    through_neurons: tuple[float, ...] | None
    in_logits: tuple[float, ...]
    in_logits_sum: float
    stray: tuple[float, ...]


def trig_identity(k: int, logits: GridSpectrum, neurons: NeuronSpectrum | None) -> TrigIdentity:
    """The four products of frequency ``k`` before and after the read-out.

    Args:
        logits: as functions of the pair; its columns are the answer's phases.
    """
    n = logits.products.shape[-1]
    rows = rows_of(k, n)
    of_output = math.sqrt(len(rows) / n)  # what a basis function is at its highest
    of_pair = len(rows) / n
    products = logits.products[k - 1]
    read = of_pair * of_output * (products @ fourier_basis(n)[rows].T)
    in_neurons = through = in_neurons_sum = None
    if neurons is not None:
        activations = neurons.grid.products[k - 1]
        in_neurons = _at(of_pair * activations.norm(dim=-1))
        in_neurons_sum = _sum_share(activations)
        written = of_pair * of_output * (activations @ neurons.logit_map[:, rows])
        through = _read(written, READ_AS)
    return TrigIdentity(
        in_neurons,
        in_neurons_sum,
        through,
        _read(read, READ_AS),
        _sum_share(products),
        _read(read, tuple(1 - function for function in READ_AS)),
    )


def _at(values: Float[Tensor, "2 2"]) -> tuple[float, ...]:
    return tuple(values[place].item() for place in _PLACES)


def _read(values: Float[Tensor, "2 2 row"], functions: tuple[int, ...]) -> tuple[float, ...]:
    """Each product's amplitude at a function of the output; 0 where there is no such function."""
    whole = F.pad(values, (0, 2 - values.shape[-1]))
    return tuple(whole[*p, f].item() for p, f in zip(_PLACES, functions, strict=True))


def _sum_share(products: Float[Tensor, "2 2 column"]) -> float:
    cos = (products[COS, COS] - products[SIN, SIN]) / math.sqrt(2)
    sin = (products[SIN, COS] + products[COS, SIN]) / math.sqrt(2)
    total = products.square().sum().item()
    return (cos.square().sum() + sin.square().sum()).item() / total if total else 0.0
