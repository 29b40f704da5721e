"""What becomes of the answer where only a circuit is left: under the true intervention."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mitool.analysis.circuits.bench import Bench
from mitool.analysis.interventions.agreement import require_same_logits
from mitool.analysis.interventions.batches import halving
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.edges import Kept
from mitool.analysis.metrics import METRICS
from mitool.core.device import HOST


@dataclass(frozen=True)
class Outcomes:
    """What becomes of each pair in each variant.

    Attributes:
        kl: KL(clean run || variant) in nats, summed over the vocabulary, mean over answers.
        agreement: share of the answers whose largest logit is the same token as in the clean run.
    """

    metric: Float[Tensor, "variant pair"]
    kl: Float[Tensor, "variant pair"]
    agreement: Float[Tensor, "variant pair"]

    def __getitem__(self, chosen: slice | list[int]) -> "Outcomes":
        return Outcomes(self.metric[chosen], self.kl[chosen], self.agreement[chosen])


def outcomes(bench: Bench, kept: Kept, done: Callable[[int], None] = lambda n: None) -> Outcomes:
    """Run every variant on every pair.

    Variants that are the same are run once, so that a circuit of all edges is to the bit the model.

    Args:
        done: told of runs that are done, one for each variant of each pair.
    """
    distinct, which = _distinct(bench, kept)
    found = torch.empty(3, len(distinct), len(bench), dtype=torch.float64)
    for chunk in bench.chunks():
        places, runs = bench.places(chunk), chunk.edge_runs
        most = max(1, bench.budget.size // runs.size_of_one())
        for batch, values in halving(len(distinct), most, partial(_judged, chunk, distinct)):
            found[:, batch, places] = values
            done(values[0].numel())
    metric, kl, agreement = found[:, which]
    return Outcomes(metric, kl, agreement)


def _judged(chunk: Chunk, kept: Kept, batch: slice) -> Float[Tensor, "3 variant pair"]:
    chosen, judged = kept[batch], chunk.judged
    logits = chunk.edge_runs.logits(chosen)
    for whole in chosen.is_whole(chunk.edge_runs.table).nonzero()[:, 0].tolist():
        what = "a run with all edges kept, beside others,"
        require_same_logits(chunk.decoder, what, logits[whole], chunk.base.logits)
    same = logits.argmax(dim=-1) == judged.clean.argmax(dim=-1)
    of_kl = replace(judged, metric=METRICS["kl"])
    return torch.stack([judged(logits), of_kl(logits), same.to(HOST).double().mean(dim=-1)])


def _distinct(bench: Bench, kept: Kept) -> tuple[Kept, Int[Tensor, " variant"]]:
    """The variants that differ, the smallest first, and which of them each one is."""
    edges = kept.edges & bench.table.exists[..., None]
    flat = edges.flatten(1)
    if kept.neurons is not None:
        flat = torch.cat([flat, kept.neurons.flatten(1)], dim=1)
    seen: dict[bytes, int] = {}
    numbers = [seen.setdefault(row.numpy().tobytes(), len(seen)) for row in flat]
    first = [numbers.index(number) for number in range(len(seen))]
    order = flat[first].sum(dim=1).argsort(stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    chosen = torch.tensor(first)[order]
    neurons = None if kept.neurons is None else kept.neurons[chosen]
    return Kept(edges[chosen], neurons), rank[torch.tensor(numbers)]


def all_and_none(n_units: int) -> Bool[Tensor, "2 unit"]:
    """The whole model, and nothing of it."""
    return torch.tensor([[True], [False]]).expand(2, n_units)
