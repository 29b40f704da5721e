"""Several values written as one text: a list, or a range that is spread evenly."""

import math
import re

from mitool.core.errors import quoted

NUMBER = r"\d+(?:\.\d*)?(?:e-?\d+)?|\.\d+"
POWERS = re.compile(rf"({NUMBER})\^i")
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})")


MAX_IMPORTANCE = 1e15
"""Whose square, which the optimiser takes of a gradient, is still far from the largest float32."""


def n_listed(text: str) -> int | None:
    """How many values a list has, such as ``0,0.5,0.9``; None of what is no list."""
    return text.count(",") + 1 if "," in text else None


def importances(text: str, n: int) -> tuple[float, ...]:
    """One importance for each of ``n`` features: ``0.9^i``, powers from the 0th on; ``1..0.01``, a
    range in equal ratios; ``1,0.5,0.2``, a list of ``n``; or ``1``, the same for all.

    Raises:
        ValueError: it is none of these, a list of others than ``n``, one is too large, or all are
            0.
    """
    if match := POWERS.fullmatch(text.strip()):
        values = [_power(float(match[1]), i) for i in range(n)]
    else:
        values = _spread(text, n, "0.9^i, 1..0.01, a list such as 1,0.5,0.2 or 1")
    if not 0 < max(values) <= MAX_IMPORTANCE:
        raise ValueError(
            f"expected importances up to {MAX_IMPORTANCE:zg}, not all of them 0, found "
            f"{quoted(text)}"
        )
    return tuple(values)


def sparsities(text: str, n: int) -> tuple[float, ...]:
    """One sparsity S for each of ``n`` models: ``0..0.95``, a range whose densities 1 - S fall in
    equal ratios; ``0,0.5,0.9``, a list of ``n``; or ``0.9``, the same for all.

    Raises:
        ValueError: it is none of these, or a sparsity is not in 0 <= S < 1.
    """
    if match := RANGE.fullmatch(text.strip()):
        ends = [_sparsity(end, text) for end in match.groups()]
        return tuple(1 - density for density in in_equal_ratios(1 - ends[0], 1 - ends[1], n))
    values = [_sparsity(part, text) for part in text.split(",")]
    if len(values) not in (1, n):
        raise ValueError(
            f"expected {n} sparsities, a range or one, found {len(values)} in {quoted(text)}"
        )
    return tuple(values * n if len(values) == 1 else values)


def in_equal_ratios(first: float, last: float, n: int) -> list[float]:
    """``n`` values above 0 from ``first`` to ``last``, each as many times the one before."""
    return [first * (last / first) ** (i / max(n - 1, 1)) for i in range(n)]


def _sparsity(text: str, whole: str) -> float:
    if not re.fullmatch(NUMBER, text.strip()) or not 0 <= float(text) < 1:
        raise ValueError(
            f"expected 0..0.95, 0,0.5,0.9 or 0.9, each in 0 <= S < 1, found {quoted(whole)}"
        )
    return float(text)


def _spread(text: str, n: int, expected: str) -> list[float]:
    parts = [part.strip() for part in text.split(",")]
    if match := RANGE.fullmatch(text.strip()):
        first, last = map(float, match.groups())
        if first > 0 and last > 0:
            return in_equal_ratios(first, last, n)
    elif all(re.fullmatch(NUMBER, part) for part in parts):
        if len(parts) not in (1, n):
            raise ValueError(f"expected {n} values, found {len(parts)} in {quoted(text)}")
        return [float(part) for part in parts] * (n if len(parts) == 1 else 1)
    raise ValueError(f"expected {expected}, found {quoted(text)}")


def _power(ratio: float, i: int) -> float:
    try:
        return ratio**i
    except OverflowError:
        return math.inf
