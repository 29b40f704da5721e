"""Logits as sums of cosines of the difference between the right answer and each output."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.fourier.basis import angles, fourier_basis, key_frequencies, rows_of


@dataclass(frozen=True)
class CosineFit:
    """Logits, centred over the outputs, fitted by ``sum_k coefficients[k] cos(2 pi k t / n)``,
    where t is the phase of the right answer less the output's.

    The cosines of different frequencies are orthogonal over all pairs and outputs, so that the
    shares of frequencies add up.

    Attributes:
        coefficients: the least-squares coefficient of each frequency 1, 2, ..
        shares: the share of the variance of the centred logits that each explains.
        output_means: the mean over all pairs of each output's centred logit.
        bias_share: the share that these means, a bias of each output, explain.
        rms: the root mean square of the centred logits.
        by_difference: the mean over all pairs of the centred logit of the output whose phase is
            0, 1, .. below the right answer's.
    """

    coefficients: Float[Tensor, " frequency"]
    shares: Float[Tensor, " frequency"]
    output_means: Float[Tensor, " phase"]
    bias_share: float
    rms: float
    by_difference: Float[Tensor, " difference"]

    def key_frequencies(self, threshold: float) -> list[int]:
        return key_frequencies(self.shares, threshold)

    def share(self, frequencies: Sequence[int]) -> float:
        return sum(self.shares[k - 1].item() for k in frequencies)

    def residual_rms(self, frequencies: Sequence[int]) -> float:
        """The root mean square of what the cosines of ``frequencies`` leave."""
        return self.rms * math.sqrt(max(0.0, 1 - self.share(frequencies)))

    def cosine_to_ideal(self, frequencies: Sequence[int]) -> float | None:
        """Cosine similarity of the centred logits to the plain sum of the cosines."""
        n = len(self.output_means)
        sizes = [_mean_square(k, n) for k in frequencies]
        product = sum(
            self.coefficients[k - 1].item() * size
            for k, size in zip(frequencies, sizes, strict=True)
        )
        length = self.rms * math.sqrt(sum(sizes))
        return product / length if length else None


class SumDirections:
    """The directions over pairs (a, b) that depend on the phase of a + b alone.

    Those of frequency k, of unit length, are (cos x cos - sin x sin) / sqrt 2 and
    (sin x cos + cos x sin) / sqrt 2 of the operands' cosines and sines, the cosine and sine of
    the sum. A projection onto them is the same for all pairs of a sum, so it is held as a table
    [sum, output].
    """

    def __init__(self, sums: Int[Tensor, " pair"], n: int) -> None:
        self.sums = sums
        self.n = n
        self.counts = torch.bincount(sums, minlength=n).double()
        self._basis = fourier_basis(n)

    def totals(self, values: Float[Tensor, "pair width"]) -> Float[Tensor, "sum width"]:
        """The sum of ``values`` over the pairs of each sum."""
        totals = torch.zeros(self.n, values.shape[1], dtype=values.dtype)
        return totals.index_add_(0, self.sums, values)

    def projection(
        self, totals: Float[Tensor, "sum width"], frequencies: Sequence[int]
    ) -> Float[Tensor, "sum width"]:
        """What ``frequencies`` hold of the values of these ``totals``, their means left out."""
        directions = self._directions(frequencies)
        return directions @ (directions.T @ totals)

    def kept(
        self, totals: Float[Tensor, "sum width"], frequencies: Sequence[int]
    ) -> Float[Tensor, "sum width"]:
        """What is left where only ``frequencies`` and the means over all pairs are kept."""
        return self.projection(totals, frequencies) + totals.sum(dim=0) / self.counts.sum()

    def _directions(self, frequencies: Sequence[int]) -> Float[Tensor, "sum direction"]:
        """Orthonormal over pairs, and free of a mean."""
        waves = self._basis[[row for k in frequencies for row in rows_of(k, self.n)]].T
        weight = self.counts.sqrt()[:, None]
        weighted = weight * (waves - self.counts @ waves / self.counts.sum())
        directions, sizes, _ = torch.linalg.svd(weighted, full_matrices=False)
        independent = sizes > 1e-9 * sizes.max() if len(sizes) else sizes > 0
        return torch.where(weight > 0, directions / weight.clamp_min(1e-300), 0.0)[:, independent]


def fit_cosines(logits: Float[Tensor, "pair phase"], directions: SumDirections) -> CosineFit:
    """Fit the logits, of shape [pair, n], by cosines."""
    n_pairs, n = logits.shape
    totals = directions.totals(logits)
    of_pair = logits.mean(dim=1)
    square = torch.linalg.vector_norm(logits).square() - n * of_pair.square().sum()
    variance = max(square.item() / logits.numel(), 0.0)
    by_difference = _by_difference(totals - directions.totals(of_pair[:, None])) / n_pairs
    frequencies = range(1, n // 2 + 1)
    cosines = torch.stack([angles(k, n).cos() for k in frequencies])
    sizes = torch.tensor([_mean_square(k, n) for k in frequencies], dtype=torch.float64)
    coefficients = cosines @ by_difference / (n * sizes)
    output_means = (totals.sum(dim=0) - totals.sum() / n) / n_pairs
    explained = coefficients.square() * sizes
    bias = output_means.square().mean().item()
    return CosineFit(
        coefficients,
        explained / variance if variance else torch.zeros_like(explained),
        output_means,
        bias / variance if variance else 0.0,
        math.sqrt(variance),
        by_difference,
    )


def _by_difference(totals: Float[Tensor, "sum phase"]) -> Float[Tensor, " difference"]:
    """Sum over all (sum, output) whose difference is 0, 1, .., n - 1."""
    n = len(totals)
    phase = torch.arange(n)
    difference = (phase[:, None] - phase[None, :]) % n
    return torch.zeros(n, dtype=totals.dtype).index_add_(0, difference.flatten(), totals.flatten())


def _mean_square(k: int, n: int) -> float:
    """Of a cosine of frequency ``k`` over Z_n."""
    return 1 / len(rows_of(k, n))
