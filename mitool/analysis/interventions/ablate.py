"""What activations are replaced by where that is no other run's: zeros, or means."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.run import LayerRun, Run
from mitool.core.device import to_float64
from mitool.models.decoder import Read

POSITION_AXIS = {
    **dict.fromkeys(("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"), 1),
    **dict.fromkeys(("q", "k", "v", "z", "z_written"), 2),
}
"""The axis of positions in each activation that has a mean; the pattern, whose queries and keys
are positions too, has none.
"""

Means = Mapping[str, Sequence[Tensor]]
"""Of each activation, for each layer, the mean at each column: the column's axis comes first."""


def zeroed(run: Run) -> Run:
    """The run with every activation 0."""
    layers = []
    for layer in run.layers:
        names = (*POSITION_AXIS, "pattern")
        layers.append(replace(layer, **{n: torch.zeros_like(getattr(layer, n)) for n in names}))
    return replace(run, layers=tuple(layers), read=_embedded(run, layers))


def means_of(runs: Iterable[tuple[Run, int]], columns: Sequence[Column]) -> Means:
    """Means over pairs, and over the positions of each column.

    Args:
        runs: with the number of the group of pairs that each is of.
        columns: one column for all positions gives the mean over all of them.
    """
    totals: dict[str, list[Tensor]] = {}
    count = torch.zeros(len(columns), dtype=torch.float64)
    for run, group in runs:
        spans = [column.spans[group] for column in columns]
        count += torch.tensor([len(run.logits) * (stop - start) for start, stop in spans])
        for name in POSITION_AXIS:
            found = [_sums(getattr(layer, name), name, spans) for layer in run.layers]
            held = totals.get(name)
            totals[name] = (
                found if held is None else [a + b for a, b in zip(held, found, strict=True)]
            )
    return {
        name: [total / count.to(total).view(-1, *[1] * (total.ndim - 1)) for total in layers]
        for name, layers in totals.items()
    }


def averaged(run: Run, means: Means, column_of: Int[Tensor, " pos"]) -> Run:
    """The run with every activation its mean; patterns stay.

    Args:
        column_of: which of the means each position has.
    """
    layers = []
    for index, layer in enumerate(run.layers):
        found = {}
        for name, axis in POSITION_AXIS.items():
            own = getattr(layer, name)
            values = means[name][index].to(own)[column_of.to(own.device)]
            found[name] = values.movedim(0, axis - 1).expand_as(own)
        layers.append(replace(layer, **found))
    return replace(run, layers=tuple(layers), read=_embedded(run, layers))


def columns_at(columns: Sequence[Column], group: int, n_positions: int) -> Int[Tensor, " pos"]:
    """The number of the column at each position of a group's texts."""
    found = torch.zeros(n_positions, dtype=torch.int64)
    for index, column in enumerate(columns):
        start, stop = column.spans[group]
        found[start:stop] = index
    return found


def _embedded(run: Run, layers: Sequence[LayerRun]) -> Read:
    """What the run reads, the stream before its first block being what ``layers`` have there."""
    return replace(run.read, resid_pre=layers[0].resid_pre)


def _sums(values: Tensor, name: str, spans: Sequence[tuple[int, int]]) -> Tensor:
    """Sums over pairs and the positions of each span, in float64: [column, ..]."""
    by_position = to_float64(values).sum(dim=0).movedim(POSITION_AXIS[name] - 1, 0)
    return torch.stack([by_position[start:stop].sum(dim=0) for start, stop in spans])
