"""Automatic circuit discovery: edges taken away one after another, unless the metric minds.

Conmy et al. 2023, arXiv 2304.14997. From the logits back to the input each edge carries the source
for good, if the metric loses less than the threshold by it. In place of their KL divergence stands
the chosen metric.

Most edges go. So runs are made ahead, in which the next one, two, three, .. edges are gone: up to
the first edge that stays they are what the greedy order asks for, and run side by side.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.outcomes import outcomes
from mitool.analysis.interventions.edges import Kept

DEFAULT_SHARE = 0.01
"""Threshold as a share of what the metric loses without all edges, if nothing else is said."""

MOST_AHEAD = 64


def threshold_of(scoring: Scoring) -> float:
    """The threshold, in the metric's unit."""
    return DEFAULT_SHARE * scoring.gap if scoring.threshold is None else scoring.threshold


def acdc(scoring: Scoring) -> Float[Tensor, " unit"]:
    """Scores: what the metric lost as each edge was tried."""
    units, threshold = scoring.units, threshold_of(scoring)
    kept = units.exists.clone()
    places = units.exists.nonzero()
    scores = torch.zeros(len(units), dtype=torch.float64)
    order, ahead = list(reversed(range(len(units)))), 4
    now = _metric(scoring, kept[None])[0]
    while order:
        if not _is_read(scoring, kept, int(places[order[0], 0])):
            unit = order.pop(0)  # nothing reads what the reader makes of it
            kept[tuple(places[unit])] = False
            scoring.done(1)
            continue
        batch = order[:ahead]
        found = _metric(scoring, _without_first(kept, places[batch]))
        n_tried = 0
        for unit, then in zip(batch, found, strict=True):
            n_tried += 1
            scores[unit] = now - then
            if now - then >= threshold:
                break
            kept[tuple(places[unit])] = False
            now = then
        order = order[n_tried:]
        ahead = min(2 * ahead, MOST_AHEAD) if n_tried == len(batch) else max(1, n_tried)
        scoring.done(n_tried)
    return scores


def _without_first(
    kept: Bool[Tensor, "reader writer column"], places: Tensor
) -> Bool[Tensor, "variant reader writer column"]:
    """Variants without the first one, two, three, .. of these edges."""
    found = kept.repeat(len(places), 1, 1, 1)
    for number, place in enumerate(places.tolist()):
        found[number:, place[0], place[1], place[2]] = False
    return found


def _metric(
    scoring: Scoring, kept: Bool[Tensor, "variant reader writer column"]
) -> Float[Tensor, " variant"]:
    return scoring.sign * outcomes(scoring.bench, Kept(kept)).metric.mean(dim=1)


def _is_read(scoring: Scoring, kept: Bool[Tensor, "reader writer column"], reader: int) -> bool:
    """Whether any edge out of a reader is left; the logits are always read."""
    columns = scoring.units.table.is_node[reader].nonzero()[:, 0]
    return not len(columns) or bool(kept[:, columns].any())
