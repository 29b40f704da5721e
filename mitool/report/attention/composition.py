"""How heads of different layers may compose, by their weights."""

import torch
from torch import Tensor

from mitool.analysis.attention import AttentionStudy
from mitool.analysis.attention.result import head_names
from mitool.report.figures import Figure
from mitool.report.heatmaps import heatmap, heatmap_panels, thinning, write_numbers


def composition_figures(study: AttentionStudy) -> list[Figure]:
    """Nothing for a model of one layer."""
    found = study.composition
    if found is None:
        return []
    names, per_layer = head_names(study), study.weights.W_Q.shape[1]
    earlier, later = names[:-per_layer], names[per_layer:]

    def of_pairs(values: Tensor) -> Tensor:
        """Less the rows and columns of heads that have no later, or no earlier, layer."""
        return values[:-per_layer, per_layer:]

    scores = heatmap_panels(
        {
            f"{kind}-composition": of_pairs(values)
            for kind, values in (("Q", found.q), ("K", found.k), ("V", found.v))
        },
        "later head",
        "earlier head",
        "score",
        x=later,
        y=earlier,
    )
    largest = max(
        of_pairs(values).nan_to_num().max().item() for values in (found.q, found.k, found.v)
    )
    scores.update_layout(coloraxis={"cmin": 0, "cmax": max(largest, found.chance)})
    composed = found.virtual_copying.masked_fill(~(found.v > found.chance), torch.nan)
    copying = heatmap(
        of_pairs(composed),
        "later head",
        "earlier head",
        "score",
        x=later,
        y=earlier,
        height=180 + min(560, max(180, 18 * len(earlier))),
    )
    copying.update_traces(zmin=0, zmax=1)
    blank = " Pairs of one layer are left blank." if len(study.weights.W_Q) > 2 else ""
    thinned = thinning(of_pairs(found.q))
    for plot in (scores, copying):
        plot.update_yaxes(autorange="reversed")
        write_numbers(plot)
    return [
        Figure(
            "composition",
            "Composition scores of pairs of heads",
            "How much of what the earlier head writes the later head's query, key or value matrix "
            f"reads, by weights alone. Random weights of these shapes score about "
            f"{found.chance:.3f}; far more suggests that the later head uses the earlier one, but "
            f"it is no test of it.{blank}{thinned}",
            scores,
        ),
        Figure(
            "virtual_heads",
            "Copying score of virtual heads",
            "The earlier and the later head's OV circuits one after the other, as one head that "
            "moves a token in two steps: the share of its eigenvalues' sizes that has a positive "
            "real part. Near 1 it raises the token that it started from. Drawn for the pairs whose "
            f"V-composition is above that of random weights.{blank}{thinned}",
            copying,
        ),
    ]
