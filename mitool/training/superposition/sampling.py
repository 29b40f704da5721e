"""Sparse features, drawn exactly and with few random numbers.

The published loop draws two numbers a feature: one that says whether it is zero, one for its
value. Here one number of 32 bits says both: below the density it is the value, scaled. And where
features are rarer than ``RARE``, only the gaps between those that are not zero are drawn, and then
their values.
"""

import numpy as np
import torch
from jaxtyping import Float

from mitool.core.device import drawer
from mitool.models.superposition import AutoencoderConfig

RARE = 0.1
"""The density below which drawing gaps is faster."""

Features = Float[np.ndarray, "step feature example"]


def fill(
    features: Features, cfg: AutoencoderConfig, density: float, seed: int, *purpose: str | int
) -> None:
    """Draw the features of some steps in place, for one model.

    A feature is zero with probability ``1 - density`` and else uniform in (0, 1], or in [-1, 1]
    where absolute values are to be learned. Of correlated sets all features are zero or none is;
    of anticorrelated sets all are zero with that probability, and else all but one, any of them.

    Args:
        purpose: what the numbers are for: the same seed and purpose give the same numbers.
    """
    draws = drawer(seed, *purpose)
    if cfg.correlation != "none":
        _fill_sets(features, cfg, density, draws)
    else:
        fill_independently(features.reshape(-1), density, draws)
    if cfg.target == "abs":
        _spread_to_both_signs(features)


def fill_independently(
    flat: Float[np.ndarray, " n"], density: float, draws: np.random.Generator
) -> None:
    """Draw features in place: each is zero with probability ``1 - density``, and else uniform in
    (0, 1].
    """
    if density < RARE:
        _fill_by_gaps(flat, density, draws)
    else:
        _fill_densely(flat, density, draws)


def _fill_densely(
    flat: Float[np.ndarray, " n"], density: float, draws: np.random.Generator
) -> None:
    """By one number for each: ``1 - u / density`` where that is positive, for ``u`` in [0, 1).

    A bit generator's 64 bits are two numbers.
    """
    bits = draws.bit_generator.random_raw((len(flat) + 1) // 2).view(np.int32)[: len(flat)]
    np.copyto(flat, bits, casting="unsafe")  # u = bits / 2^32 + 1/2
    flat *= np.float32(-1 / (density * 2**32))
    flat += np.float32(1 - 1 / (2 * density))
    torch.from_numpy(flat).relu_()  # numpy's maximum takes eight times as long


def _fill_by_gaps(
    flat: Float[np.ndarray, " n"], density: float, draws: np.random.Generator
) -> None:
    """By the gaps between those that are not zero, which are geometrically distributed."""
    flat.fill(0)
    last = -1
    while last < len(flat):
        left = (len(flat) - last) * density
        gaps = draws.geometric(density, size=int(left + 6 * left**0.5 + 16))
        places = last + np.minimum(gaps, len(flat) + 1).cumsum()  # that their sum has room
        inside = places[: np.searchsorted(places, len(flat))]
        flat[inside] = _uniform(len(inside), draws)
        last = int(places[-1])


def _fill_sets(
    features: Features, cfg: AutoencoderConfig, density: float, draws: np.random.Generator
) -> None:
    n_steps, n_features, n_examples = features.shape
    sets = (n_steps, n_features // cfg.set_size, 1, n_examples)
    in_sets = features.reshape(n_steps, -1, cfg.set_size, n_examples)
    in_sets[...] = _uniform(in_sets.shape, draws)
    in_sets *= draws.random(sets) < density
    if cfg.correlation == "anticorrelated":
        chosen = draws.integers(cfg.set_size, size=sets)
        in_sets *= chosen == np.arange(cfg.set_size)[:, None]


def _spread_to_both_signs(features: Features) -> None:
    """From uniform in (0, 1] to uniform in (-1, 1], what is zero staying so."""
    is_zero = features == 0
    features *= np.float32(2)
    features -= np.float32(1)
    features[is_zero] = 0


def _uniform(shape: int | tuple[int, ...], draws: np.random.Generator) -> Float[np.ndarray, "..."]:
    """Uniform in (0, 1]: never 0, which means that a feature is not there."""
    return np.float32(1) - draws.random(shape, dtype=np.float32)
