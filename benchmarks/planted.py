"""Score every method that finds circuits on models whose circuit was set by hand.

For each planted model: the area under the ROC curve of the sizes of a method's edge scores, against
the true edges. 1: every true edge has a larger score than every other; 0.5: chance.
"""

import argparse
import json
import time

import torch
from torch import Tensor

from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.finding import ends_of
from mitool.analysis.circuits.methods import METHODS, Method
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.columns import columns_of
from mitool.analysis.interventions.material import Material
from mitool.analysis.metrics import METRICS
from mitool.analysis.statistics import auroc
from mitool.core.device import resolve
from mitool.models.decoder.toy import toy_decoder
from mitool.planted import NAMES, plant
from mitool.planted.base import Planted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", default=list(NAMES), help="which; left out: all")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), help="likewise")
    parser.add_argument("--seed", type=int, default=0, help="seed of random scores")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    report: dict[str, dict[str, float]] = {}
    with resolve("cpu").active():
        for name in options.models:
            bench, truth = bench_of(plant(name))
            report[name] = {}
            for method in map(METHODS.__getitem__, options.methods):
                start = time.perf_counter()
                found = scores(bench, method, options.seed).abs()
                report[name][f"{method.name}_s"] = time.perf_counter() - start
                report[name][method.name] = auroc(found, truth)
    if options.json:
        print(json.dumps(report))
        return
    print(f"| model | {' | '.join(options.methods)} |")
    print(f"|---|{'---|' * len(options.methods)}")
    for name, row in report.items():
        print(f"| `{name}` | {' | '.join(f'{row[method]:.3f}' for method in options.methods)} |")


def bench_of(planted: Planted) -> tuple[Bench, Tensor]:
    """The pairs of a planted model, and which of its edges are true."""
    groups, columns = columns_of([planted.pairs], str)
    decoder, metric = toy_decoder(planted.model), METRICS["logit-diff"]
    material = Material(planted.name, decoder, groups, columns, metric, str)
    bench = Bench(material, torch.arange(material.n_pairs), "patch", Budget(512 * 2**20))
    true = set(bench.table.graph.matching(planted.truth, "truth"))
    return bench, torch.tensor([edge in true for edge in bench.table.edges])


def scores(bench: Bench, method: Method, seed: int) -> Tensor:
    units = Units(bench.table, "edge", bench.material.decoder.d_model)
    gap = ends_of(bench, units).gap.mean().item()
    return method.score(Scoring(bench, units, gap=abs(gap), seed=seed))


if __name__ == "__main__":
    main()
