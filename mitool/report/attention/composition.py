"""How heads of different layers may compose, by their weights."""

import plotly.graph_objects as go
import torch
from torch import Tensor

from mitool.analysis.attention import AttentionStudy
from mitool.analysis.attention.composition import Composition
from mitool.analysis.attention.result import head_names
from mitool.report.figures import Figure
from mitool.report.heatmaps import heatmap, heatmap_panels, thinning, write_numbers


def composition_figures(study: AttentionStudy) -> list[Figure]:
    """Nothing for a model of one layer."""
    found = study.composition
    if found is None:
        return []
    copying = found.virtual_copying
    virtual = [] if copying is None else [_virtual_heads(study, found, copying)]
    return [_scores(study, found), *virtual]


def _scores(study: AttentionStudy, found: Composition) -> Figure:
    panels = {
        f"{kind}-composition": _of_pairs(study, values)
        for kind, values in (("Q", found.q), ("K", found.k), ("V", found.v))
    }
    earlier, later = _names(study)
    plot = heatmap_panels(panels, "later head", "earlier head", "score", x=later, y=earlier)
    largest = max(values.nan_to_num().max().item() for values in panels.values())
    plot.update_layout(coloraxis={"cmin": 0, "cmax": max(largest, found.chance)})
    return Figure(
        "composition",
        "Composition scores of pairs of heads",
        "How much of what the earlier head writes the later head's query, key or value matrix "
        f"reads, by weights alone. Random weights of these shapes score about {found.chance:z.3f}; "
        "far more suggests that the later head uses the earlier one, but it is no test of it."
        f"{_left_blank(study, panels['Q-composition'])}",
        _finished(plot),
    )


def _virtual_heads(study: AttentionStudy, found: Composition, copying: Tensor) -> Figure:
    composed = copying.masked_fill(~(found.v > found.chance), torch.nan)
    earlier, later = _names(study)
    values = _of_pairs(study, composed)
    height = 180 + min(560, max(180, 18 * len(earlier)))
    plot = heatmap(values, "later head", "earlier head", "score", x=later, y=earlier, height=height)
    plot.update_traces(zmin=0, zmax=1)
    return Figure(
        "virtual_heads",
        "Copying score of virtual heads",
        "The earlier and the later head's OV circuits one after the other, as one head that moves "
        "a token in two steps: the share of its eigenvalues' sizes that has a positive real part. "
        "Near 1 it raises, on the whole, the token that it started from. Drawn for the pairs whose "
        f"V-composition is above that of random weights.{_left_blank(study, values)}",
        _finished(plot),
    )


def _names(study: AttentionStudy) -> tuple[list[str], list[str]]:
    """The heads that have a later layer, and those that have an earlier one."""
    names, per_layer = head_names(study), study.weights.W_Q.shape[1]
    return names[:-per_layer], names[per_layer:]


def _of_pairs(study: AttentionStudy, values: Tensor) -> Tensor:
    """Less the rows and columns of heads that have no later, or no earlier, layer."""
    per_layer = study.weights.W_Q.shape[1]
    return values[:-per_layer, per_layer:]


def _left_blank(study: AttentionStudy, values: Tensor) -> str:
    blank = " Pairs of one layer are left blank." if len(study.weights.W_Q) > 2 else ""
    return f"{blank}{thinning(values)}"


def _finished(plot: go.Figure) -> go.Figure:
    write_numbers(plot)
    return plot.update_yaxes(autorange="reversed")
