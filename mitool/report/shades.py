"""Colours of values in their order, and of what has an order."""

import plotly.colors
import torch
from jaxtyping import Float
from torch import Tensor

MOST_SHADES = 16
"""Distinct values that have a colour each; of more, those near one another share one."""

# Viridis without its yellow, which is hard to see on white; the largest value is the darkest
SHADES = plotly.colors.sample_colorscale("Viridis", [0.82 - 0.082 * i for i in range(11)])


def shades(values: Float[Tensor, " value"], low: float, high: float) -> list[str]:
    """A colour for each value between ``low``, the lightest, and ``high``, the darkest."""
    share = ((values.double() - low) / max(high - low, 1e-30)).clamp(0, 1)
    if len(share.unique()) > MOST_SHADES:
        share = (share * (MOST_SHADES - 1)).round() / (MOST_SHADES - 1)
    return plotly.colors.sample_colorscale(SHADES, share.tolist())


def ranked_shades(n: int) -> list[str]:
    """Colours for ``n`` things in their order, from the darkest to the lightest."""
    return shades(torch.arange(n, 0, -1).float(), 1, max(n, 2))
