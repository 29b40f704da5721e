"""Time circuit discovery beside the bare passes that it needs, in one process and in turn.

On a random model of the size of GPT-2 small (32 491 edges):

- scores by EAP and by EAP-IG, from tokens to a score for every edge, beside the bare passes of the
  transformers model: two forward passes, and for each gradient one forward and backward pass to
  the activations with logits at the last position alone;
- ten circuit sizes evaluated together, beside ten evaluations of one.

On a random model of five layers of eight heads (2 461 edges):

- exact patching of every edge, beside one pass of a whole bridge an edge, of which some are run.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformers import GPT2LMHeadModel

from benchmarks.patching import bridge_of, random_gpt2, random_pairs
from benchmarks.printing import show
from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.methods import METHODS
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.outcomes import outcomes
from mitool.analysis.circuits.select import first, ranked, sizes_of
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.columns import columns_of
from mitool.analysis.interventions.material import Material
from mitool.analysis.metrics import METRICS
from mitool.core.device import resolve
from mitool.models.pretrained.parts import decoder_of
from mitool.pairs.prompt_pairs import PromptPairs
from mitool.settings import MethodName

SMALL = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 64}
"""The sizes of ``--small``, which shows that the benchmark works."""

FIVE_LAYERS = {"n_embd": 64, "n_layer": 5, "n_head": 8, "vocab_size": 512}

GRADIENTS: dict[MethodName, int] = {"eap": 1, "eap-ig": 5}
FULL_PASSES = 50
"""Passes of the whole model that are run, of as many as there are edges."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8, help="pairs")
    parser.add_argument("--tokens", type=int, default=12, help="tokens of each")
    parser.add_argument("--repeats", type=int, default=5, help="rounds, of which the best counts")
    parser.add_argument("--small", action="store_true", help="models that take no time")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    device = resolve("cpu", threads=options.threads)
    with device.active():
        model = random_gpt2(SMALL if options.small else {})
        given = random_pairs(options.pairs, options.tokens, model.config.vocab_size)
        report = attribution(model, given, options.repeats) | sizes(model, given)
        model = random_gpt2(SMALL if options.small else FIVE_LAYERS)
        given = random_pairs(options.pairs, options.tokens, model.config.vocab_size)
        report |= exact(model, given, options.repeats)
    report["threads"] = device.threads
    show(report, as_json=options.json)


def attribution(model: GPT2LMHeadModel, given: PromptPairs, repeats: int) -> dict[str, float]:
    """Seconds of each, and the ratio of mitool's to the floor's."""
    work: dict[str, Callable[[], Any]] = {}
    for name, n_gradients in GRADIENTS.items():
        work[f"{name}_s"] = partial(scored_anew, model, given, name)
        work[f"{name}_floor_s"] = partial(bare_passes, model, given, n_gradients)
    found = best(work, repeats)
    ratios = {f"{n}_ratio_to_floor": found[f"{n}_s"] / found[f"{n}_floor_s"] for n in GRADIENTS}
    return {"edges": len(bench_of(model, given).table.edges), **found, **ratios}


def best(work: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Seconds of the best round of each, done in turn."""
    found = dict.fromkeys(work, float("inf"))
    for _ in range(repeats + 1):
        for name, run in work.items():
            found[name] = min(found[name], seconds(run))
    return found


def sizes(model: GPT2LMHeadModel, given: PromptPairs) -> dict[str, float]:
    """Seconds of ten circuit sizes, together and one by one."""
    bench = bench_of(model, given)
    units = units_of(bench)
    order = ranked(units, scored(bench, "eap"), "absolute")
    circuits = first(units, order, sizes_of(units))

    def evaluated(chosen: Tensor) -> None:
        outcomes(bench_of(model, given), units.kept(chosen))

    together = seconds(partial(evaluated, circuits))
    apart = sum(seconds(partial(evaluated, one[None])) for one in circuits)
    return {"ten_sizes_s": together, "ten_apart_s": apart, "together_to_apart": together / apart}


def exact(model: GPT2LMHeadModel, given: PromptPairs, repeats: int) -> dict[str, float]:
    """Seconds of exact patching, and of one pass of the whole model an edge."""
    n_edges = len(bench_of(model, given).table.edges)
    work = {
        "exact_s": partial(scored_anew, model, given, "exact"),
        "full_passes_s": partial(full_passes, bridge_of(model), given),
    }
    found = best(work, repeats)
    found["full_passes_s"] *= n_edges / FULL_PASSES
    speedup = found["full_passes_s"] / found["exact_s"]
    return {"exact_edges": n_edges, **found, "exact_speedup": speedup}


def full_passes(bridge: TransformerBridge, given: PromptPairs) -> None:
    """The bridge run with one hook, as often as ``FULL_PASSES`` says."""

    def patched(resid: Tensor, hook: Any) -> Tensor:
        return resid + 0.0

    with torch.no_grad():
        for _ in range(FULL_PASSES):
            bridge.run_with_hooks(given.clean, fwd_hooks=[("blocks.0.hook_in", patched)])


def bench_of(model: GPT2LMHeadModel, given: PromptPairs) -> Bench:
    groups, columns = columns_of([given], str)
    material = Material("random", decoder_of(model), groups, columns, METRICS["logit-diff"], str)
    return Bench(material, torch.arange(len(given)), "patch", Budget.of(512, resolve("cpu")))


def units_of(bench: Bench) -> Units:
    return Units(bench.table, "edge", bench.material.decoder.d_model)


def scored_anew(model: GPT2LMHeadModel, given: PromptPairs, name: MethodName) -> None:
    """From tokens to scores."""
    scored(bench_of(model, given), name)


def scored(bench: Bench, name: MethodName) -> Tensor:
    return METHODS[name].score(Scoring(bench, units_of(bench)))


def bare_passes(model: GPT2LMHeadModel, given: PromptPairs, n_gradients: int) -> None:
    """What the method needs of any implementation."""
    with torch.no_grad():
        for tokens in (given.clean, given.corrupted):
            model(tokens, logits_to_keep=1)
    embedded = model.get_input_embeddings()(given.clean)
    for _ in range(n_gradients):
        inputs = embedded.clone().requires_grad_()
        logits = model(inputs_embeds=inputs, logits_to_keep=1).logits[:, -1]
        right, wrong = (logits.gather(-1, side[:, 0]) for side in (given.right, given.wrong))
        torch.autograd.grad((right - wrong).sum(), inputs)


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
