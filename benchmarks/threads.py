"""Time training steps of every size on one thread and on all, in turn in one process.

From what size of a step on more threads pay is the constant ``WORTH_MORE`` of
``mitool.training.config``; this is where it was measured.
"""

import argparse
import itertools
import time

import torch

from benchmarks.printing import show
from mitool.core.device import Device
from mitool.core.machine import available_cores
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks.modadd import ModAdd
from mitool.training import RunConfig
from mitool.training.transformers import TransformerLearner

PRIMES, WIDTHS, FRACTION = (5, 7, 11, 17, 23, 29, 41, 59), (32, 128), 0.8
SECONDS = 0.25
"""Of each stretch of steps that is timed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds, of which the best")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    report: dict[str, float] = {"cores": available_cores()}
    for width, p in itertools.product(WIDTHS, PRIMES):
        task = ModAdd(p=p, frac_train=FRACTION)
        model = ModelSettings(d_model=width)
        training = TrainingSettings(epochs=10**6, lr=1e-3)
        learner = TransformerLearner(
            RunConfig(task, model, training, Device("cpu", threads=available_cores()))
        )
        report |= {f"d{width}_p{p}_{k}": v for k, v in compared(learner, options.rounds).items()}
    show(report, as_json=options.json)


def compared(learner: TransformerLearner, rounds: int) -> dict[str, float]:
    """The work of a step, its microseconds on one thread, and how many times as fast all are."""
    learner.begin(0)
    best = dict.fromkeys((1, learner.device.threads), float("inf"))
    for _, threads in itertools.product(range(rounds), best):
        with learner.device.with_threads(threads):
            best[threads] = min(best[threads], seconds_per_step(learner))
    alone, together = best.values()
    millions = learner.config.work / 1e6
    return {"megaflops": millions, "step_us": alone * 1e6, "speedup": alone / together}


def seconds_per_step(learner: TransformerLearner) -> float:
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        learner.train(0, 0, 1, lambda: False)
        steps += 1
    return (time.perf_counter() - start) / steps


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
