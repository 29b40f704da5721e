"""Benches for the tests of circuits."""

from typing import Any

from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.columns import columns_of
from mitool.analysis.interventions.material import Material
from mitool.analysis.metrics import METRICS
from mitool.models.decoder import Decoder
from mitool.pairs.prompt_pairs import PromptPairs
from mitool.settings import Ablation, Level, MetricName
from tests.analysis.interventions.models import Model, parts_of

LEVELS: dict[str, Level] = {
    "edge": "edge",
    "position": "edge",
    "node": "node",
    "neuron": "neuron",
}
"""What units are told apart by, and their level."""


def bench_of(
    model: Model | Decoder,
    given: PromptPairs,
    ablation: Ablation = "patch",
    *,
    metric: MetricName = "logit-diff",
    by_position: bool = False,
    memory: int = 2**24,
) -> Bench:
    """All of some pairs, on a model or on what it was taken apart into."""
    decoder = model if isinstance(model, Decoder) else parts_of(model)
    groups, columns = columns_of([given], str)
    material = Material("pairs", decoder, groups, columns, METRICS[metric], str)
    return Bench(material, given.index.sort().values, ablation, Budget(memory), by_position)


def scoring_of(bench: Bench, level: Level = "edge", **settings: Any) -> Scoring:
    columns = bench.material.columns if bench.by_position else ()
    units = Units(bench.table, level, bench.material.decoder.d_model, columns)
    return Scoring(bench, units, **settings)
