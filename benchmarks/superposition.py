"""Time a training step of toy models of superposition beside the published loop, in turn.

The published loop draws two uniform numbers for every feature of the batch, multiplies by einsum
in and out of the hidden layer, and steps by AdamW; its models, batch and optimiser are the same as
mitool's. The floor of both is five matrix products: in, out, and three backward.

A ratio is the median over rounds of the ratio within the round, so that a machine that slows down
or speeds up meanwhile does so for both.
"""

import argparse
import time
from collections.abc import Callable

import torch

from benchmarks.printing import show
from mitool.analysis.superposition.experiments.base import Plan
from mitool.core.device import Device, resolve
from mitool.models.superposition import AutoencoderConfig, Autoencoders
from mitool.settings import SuperpositionSettings
from mitool.training.superposition import SuperpositionConfig
from mitool.training.superposition.learner import SuperpositionLearner

SIZES = ((10, 5, 2), (10, 100, 20), (20, 200, 20))
"""Models, features and hidden dimensions."""

Steps = Callable[[int], object]
"""Takes so many steps."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=1024, help="examples a step")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each in a round, roughly")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    device = resolve("cpu", threads=options.threads)
    report: dict[str, float] = {"threads": device.threads, "batch_size": options.batch_size}
    with device.active():
        for size in SIZES:
            found = compare(size, options.batch_size, options.rounds, options.seconds, device)
            n, n_features, n_hidden = size
            report |= {f"{n}x{n_features}to{n_hidden}_{k}": v for k, v in found.items()}
    show(report, as_json=options.json)


def compare(
    size: tuple[int, int, int], batch_size: int, rounds: int, seconds: float, device: Device
) -> dict[str, float]:
    """Median milliseconds a step of each, and mitool's ratios."""
    models = build(size, device)
    learner = mitool_learner(models, batch_size, device)
    takes = {
        "mitool": mitool_steps(learner),
        "published": published_steps(models, batch_size),
        "floor": products(models, batch_size),
    }
    at_a_time = {"mitool": learner.n_drawn, "published": 1, "floor": 1}
    n_steps = {name: steps_in(seconds, take, at_a_time[name]) for name, take in takes.items()}
    times: dict[str, list[float]] = {name: [] for name in takes}
    for _ in range(rounds):
        for name, take in takes.items():
            take(at_a_time[name])  # on the caches, and beside the threads, of what ran before
            times[name].append(milliseconds(take, n_steps[name]) / n_steps[name])
    measured = {name: torch.tensor(values, dtype=torch.float64) for name, values in times.items()}
    report = {f"{name}_ms": values.median().item() for name, values in measured.items()}
    report["speedup"] = (measured["published"] / measured["mitool"]).median().item()
    report["ratio_to_floor"] = (measured["mitool"] / measured["floor"]).median().item()
    return report


def build(size: tuple[int, int, int], device: Device) -> Autoencoders:
    n, n_features, n_hidden = size
    settings = SuperpositionSettings(n_instances=n)
    cfg = AutoencoderConfig(n_features=n_features, n_hidden=n_hidden)
    return Plan.spread(cfg, settings, "0.9^i").build(0, "", device)


def mitool_learner(models: Autoencoders, batch_size: int, device: Device) -> SuperpositionLearner:
    settings = SuperpositionSettings(n_instances=len(models), batch_size=batch_size)
    return SuperpositionLearner(SuperpositionConfig("train", settings, device), {"": models})


def mitool_steps(learner: SuperpositionLearner) -> Steps:
    taken = 0

    def take(n: int) -> None:
        nonlocal taken
        learner.train_all(taken, taken + n)
        taken += n

    return take


def published_steps(models: Autoencoders, batch_size: int) -> Steps:
    W = torch.nn.Parameter(models.W.mT.clone())  # [instance, feature, hidden], as published
    b = torch.nn.Parameter(models.b.clone())
    shape = (batch_size, *models.importance.shape)
    optimizer = torch.optim.AdamW([W, b], lr=1e-3)

    def take(n: int) -> None:
        for _ in range(n):
            optimizer.zero_grad(set_to_none=True)
            values, is_on = torch.rand(shape), torch.rand(shape) <= models.density[:, None]
            features = torch.where(is_on, values, torch.zeros(()))
            hidden = torch.einsum("...if,ifh->...ih", features, W)
            out = torch.relu(torch.einsum("...ih,ifh->...if", hidden, W) + b)
            error = models.importance * (features.abs() - out) ** 2
            error.mean(dim=(0, 2)).sum().backward()
            optimizer.step()

    return take


def products(models: Autoencoders, batch_size: int) -> Steps:
    """Into memory of their own, so that allocating it is no part of the floor."""
    n, n_hidden, n_features = models.W.shape
    x, z = torch.rand(2, n, n_features, batch_size)
    h, W = torch.rand(n, n_hidden, batch_size), models.W.clone()
    out_h, out_z, out_W = torch.empty_like(h), torch.empty_like(z), torch.empty_like(W)

    def take(n: int) -> None:
        for _ in range(n):
            torch.bmm(W, x, out=out_h)
            torch.bmm(W.mT, h, out=out_z)
            torch.bmm(W, z, out=out_h)
            torch.bmm(h, z.mT, out=out_W)
            torch.bmm(h, x.mT, out=out_W)

    return take


def steps_in(seconds: float, take: Steps, at_a_time: int) -> int:
    """How many steps, a multiple of ``at_a_time``, take about so long."""
    take(at_a_time)
    return max(1, int(1e3 * seconds / milliseconds(take, at_a_time))) * at_a_time


def milliseconds(take: Steps, n: int) -> float:
    start = time.perf_counter()
    take(n)
    return 1e3 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
