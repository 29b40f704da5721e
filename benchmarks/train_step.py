"""Time one training step on addition mod 113 beside TransformerLens and beside its floor.

Three things are timed in turn, in one process, on the published step (3 830 of the 12 769 pairs,
forward, backward, AdamW, log-softmax in float64):

- mitool's step;
- the same step through ``TransformerBridge.boot_native``: same loss, same optimiser;
- the floor: the matrix products of the textbook step at the answer position (attention output,
  MLP in and out, unembedding: each once forward and twice backward) on tensors of the same sizes.

mitool's step orders its products so that it needs fewer than the textbook's; the products that
it does keep at full batch size (neurons to logits, with the MLP's output weights and the
unembedding multiplied first) are timed too, as the floor of its own algorithm.

Peak memory is that of a process of its own for each of the two steps.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
import torch.nn.functional as F

from benchmarks.printing import show
from mitool.core.device import generator, resolve
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.tasks.modadd import ModAdd
from mitool.training.data import Batch, TrainingData
from mitool.training.optimizers import make_optimizer
from mitool.training.step import TrainStep

ROOT = Path(__file__).parents[1]
Step = Callable[[], object]
RUN = 5
"""Steps in a row, of which the first, on the caches of what ran before, is not counted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--p", type=int, default=113, help="modulus")
    parser.add_argument("--rounds", type=int, default=20, help="timed rounds")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--memory-of", choices=["mitool", "transformer_lens"], help="internal")
    options = parser.parse_args()
    task = ModAdd(p=options.p)
    device = resolve("cpu", threads=options.threads)
    with device.active():
        batch = TrainingData(task, task.training, 0, 0, device).full_batch
        assert batch is not None
        if options.memory_of:
            step = {"mitool": mitool_step, "transformer_lens": bridge_step}[options.memory_of]
            print(peak_mebibytes(step(task, batch)))
            return
        report = compare(task, batch, options.rounds)
    report["threads"] = device.threads
    for name in ("mitool", "transformer_lens"):
        command = [sys.executable, "-m", "benchmarks.train_step", "--memory-of", name]
        command += ["--p", str(options.p), "--threads", str(device.threads)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        report[f"{name}_peak_mib"] = float(done.stdout)
    show(report, as_json=options.json)


def compare(task: ModAdd, batch: Batch, rounds: int) -> dict[str, float]:
    """Median milliseconds of each, and mitool's ratios.

    A ratio is the median over rounds of the ratio within the round, so that a machine that
    slows down or speeds up meanwhile does so for both.
    """
    steps = {
        "mitool": mitool_step(task, batch),
        "transformer_lens": bridge_step(task, batch),
        "floor": textbook_products(task, len(batch)),
        "own_products": own_products(task, len(batch)),
    }
    times: dict[str, list[list[float]]] = {name: [] for name in steps}
    for _ in range(1 + rounds):
        for name, step in steps.items():
            times[name].append([milliseconds(step) for _ in range(RUN)][1:])
    counted = {
        name: torch.tensor(values[1:], dtype=torch.float64) for name, values in times.items()
    }  # [round, step]
    of_round = {name: values.median(dim=1).values for name, values in counted.items()}
    report = {f"{name}_ms": values.median().item() for name, values in counted.items()}
    ratios = {name: values / of_round["mitool"] for name, values in of_round.items()}
    report["ratio_to_transformer_lens"] = ratios["transformer_lens"].median().item()
    report["ratio_to_floor"] = 1 / ratios["floor"].median().item()
    report["ratio_to_own_products"] = 1 / ratios["own_products"].median().item()
    return report


def milliseconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return 1e3 * (time.perf_counter() - start)


def mitool_step(task: ModAdd, batch: Batch) -> Step:
    model = ToyTransformer(TransformerConfig.for_task(task.model, task))
    model.initialise(generator(0, "init"))
    step = TrainStep(model, make_optimizer(model.parameters(), task.training), task.training, 1)
    return lambda: step(batch)


def bridge_step(task: ModAdd, batch: Batch) -> Step:
    from transformer_lens.model_bridge.sources.native import boot

    from mitool.models.bridge import bridge_config

    bridge = boot(bridge_config(TransformerConfig.for_task(task.model, task)))
    for name, parameter in bridge.named_parameters():
        parameter.requires_grad_("bias" not in name)
    optimizer = make_optimizer(bridge.parameters(), task.training)
    tokens, targets = batch.inputs.row_tokens[batch.inputs.index], batch.targets[:, 0]

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(bridge(tokens)[:, -1].double(), targets).backward()
        optimizer.step()

    return step


def textbook_products(task: ModAdd, n: int) -> Step:
    """The products of a step that reads logits at one position, and makes no use of tables."""
    d_model, d_mlp, heads = task.model.d_model, 4 * task.model.d_model, task.model.d_model
    layers = [(heads, d_model), (d_model, d_mlp), (d_mlp, d_model), (d_model, task.d_vocab_out)]
    return _products(n, layers)


def own_products(task: ModAdd, n: int) -> Step:
    """The products over all examples that mitool's step keeps."""
    return _products(n, [(4 * task.model.d_model, task.d_vocab_out)])


def _products(n: int, layers: list[tuple[int, int]]) -> Step:
    """Into memory of their own, so that allocating it is no part of the floor."""
    tensors = [(torch.randn(n, i), torch.randn(i, o), torch.randn(n, o)) for i, o in layers]
    outputs = [(torch.empty(n, o), torch.empty(n, i), torch.empty(i, o)) for i, o in layers]

    def step() -> None:
        for (x, weight, grad), (y, grad_x, grad_weight) in zip(tensors, outputs, strict=True):
            torch.mm(x, weight, out=y)
            torch.mm(grad, weight.T, out=grad_x)
            torch.mm(x.T, grad, out=grad_weight)

    return step


def peak_mebibytes(step: Step) -> float:
    """Memory that five steps take beyond what the process holds before them (Linux)."""
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    for _ in range(5):
        step()
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0])
    return peak / 1024 - before / 2**20


if __name__ == "__main__":
    main()
