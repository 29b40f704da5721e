"""A heatmap for each family of sites that was swept."""

import torch

from mitool.analysis.patching import PatchResult
from mitool.analysis.patching.sites import BY_POSITION, Family
from mitool.core.node_names import head_name
from mitool.report.columns import spans_of
from mitool.report.figures import Figure
from mitool.report.grid import Grid, draw_grid
from mitool.report.heatmaps import thinning
from mitool.report.patching.shown import hover, limit_of, short_unit, unchanged, values
from mitool.report.patching.summary import ON_CELLS, how, intervals

MOST_ROWS = 48
"""Heads that are drawn by position; of more, those with the largest effects."""

SITES = {
    "resid_pre": "Residual stream before each block",
    "resid_mid": "Residual stream between attention and MLP",
    "resid_post": "Residual stream after each block",
    "attn_out": "Output of attention",
    "mlp_out": "Output of the MLPs",
    "z": "Output of heads",
    "q": "Queries of heads",
    "k": "Keys of heads",
    "v": "Values of heads",
    "pattern": "Attention patterns of heads",
}


def family_figures(result: PatchResult) -> list[Figure]:
    """The residual stream first, heads by position last."""
    families = sorted(result.plan.families, key=_is_by_position)
    limit, note = limit_of(result, [family.name for family in families], least=1.0)
    return [_figure(result, family, limit, note) for family in families]


def _figure(result: PatchResult, family: Family, limit: float, note: str) -> Figure:
    whole = _grid(result, family)
    grid = whole.with_largest(MOST_ROWS, len(whole.x)) if _is_by_position(family) else whole
    left_out = f" {len(grid.y)} of {len(whole.y)} heads are drawn, those with the largest effects."
    is_blank = bool((result.effects[family.name].changed == 0).any())
    blank = f" Grey cells: {unchanged(result)}, in every pair."
    by_position = " by position" if _is_by_position(family) else ""
    return Figure(
        family.name,
        f"{SITES[family.activation]}{by_position} ({family.name})",
        f"{how(result, _one(family))}{blank if is_blank else ''}{_positions(family)}{note}"
        f"{left_out if len(grid.y) < len(whole.y) else ''}{thinning(grid.values)}"
        f"{intervals(result, ON_CELLS)}",
        draw_grid(grid, short_unit(result), limit),
    )


def _grid(result: PatchResult, family: Family) -> Grid:
    effects, size = result.effects[family.name], family.shape[-1]
    of_changed = values(result, family.name).masked_fill(effects.changed == 0, torch.nan)
    cells = of_changed.unflatten(0, (-1, size))
    texts = [hover(result, family.name, index) for index in range(len(of_changed))]
    return Grid(
        cells,
        "position" if family.columns else _head(family),
        _head(family) if _is_by_position(family) else "layer",
        [column.label for column in family.columns] or [str(head) for head in range(size)],
        _rows(family),
        [texts[start : start + size] for start in range(0, len(texts), size)],
    )


def _rows(family: Family) -> list[str]:
    layers = range(family.n_layers)
    if _is_by_position(family):
        heads = range(family.n_heads)
        return [head_name(layer, head, family.mark) for layer in layers for head in heads]
    return [str(layer) for layer in layers]


def _is_by_position(family: Family) -> bool:
    return family.name.endswith(BY_POSITION)


def _head(family: Family) -> str:
    """What the heads of a family are called: of grouped queries several share a key and a value."""
    return "key/value head" if family.mark == "KV" else "head"


def _one(family: Family) -> str:
    """What is patched at a time."""
    if not family.n_heads:
        return "in one layer and at one position at a time"
    if not family.columns:
        return "for one head at a time, at all positions"
    of_queries = " of the queries" if family.activation == "pattern" else ""
    return f"for one head and at one position{of_queries} at a time"


def _positions(family: Family) -> str:
    """What a caption says of the columns."""
    if not family.columns:
        return ""
    named = " Positions are named by their tokens in the clean texts, the most frequent first."
    return f"{named if any(c.tokens for c in family.columns) else ''}{spans_of(family.columns)}"
