"""Time a sweep over heads and positions beside transformer_lens.patching, in one process.

Every head's ``z`` at every position is patched from a clean into a corrupted run, on a random model
of the size of GPT-2 small, whose pairs differ at every position, so that no site is spared. The
sweep goes layer by layer, in turn with

- ``transformer_lens.patching`` on a bridge of the same model: a run of it all for each site;
- the floor: the bare products with the weights that a change reaches, in the same batches.

Both sweeps have one caching run of the clean pairs before them, and mitool's one of the corrupted,
which are counted.
"""

import argparse
import copy
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pandas as pd
import torch
from torch import Tensor
from transformer_lens import ActivationCache, patching
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.printing import show
from mitool.analysis.interventions.batches import Budget, Judged
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.columns import columns_of
from mitool.analysis.interventions.run import run
from mitool.analysis.metrics import METRICS
from mitool.analysis.patching.sites import Site, families_of
from mitool.analysis.patching.sweep import sweep_sites
from mitool.core.device import resolve
from mitool.models.decoder import Decoder
from mitool.models.pretrained.parts import decoder_of
from mitool.pairs.prompt_pairs import PromptPairs

Found = TypeVar("Found")

SMALL = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 64}
"""The sizes of ``--small``, which shows that the benchmark works."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8, help="pairs")
    parser.add_argument("--tokens", type=int, default=12, help="tokens of each")
    parser.add_argument("--layers", type=int, nargs="*", help="layers to sweep; left out: all")
    parser.add_argument("--small", action="store_true", help="a model that takes no time")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    device = resolve("cpu", threads=options.threads)
    with device.active(), torch.no_grad():
        model = random_gpt2(SMALL if options.small else {})
        given = random_pairs(options.pairs, options.tokens, model.config.vocab_size)
        layers = range(model.config.n_layer) if options.layers is None else options.layers
        report = compare(model, given, list(layers))
    report["threads"] = device.threads
    show(report, as_json=options.json)


def random_gpt2(sizes: dict[str, Any]) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**sizes)).requires_grad_(False).train(False)
    model.set_attn_implementation("eager")
    return model


def bridge_of(model: GPT2LMHeadModel) -> TransformerBridge:
    """A bridge of a copy, as it changes modules of the model that it is made of."""
    own = copy.deepcopy(model)
    return build_bridge_from_module(own, "GPT2LMHeadModel", hf_config=own.config)


def random_pairs(n: int, length: int, d_vocab: int) -> PromptPairs:
    clean, steps = torch.randint(d_vocab, (n, length)), torch.randint(1, d_vocab, (n, length))
    right, wrong = torch.arange(n).view(n, 1, 1), torch.arange(n).view(n, 1, 1) + n
    corrupted = (clean + steps) % d_vocab
    return PromptPairs(clean, corrupted, (length - 1,), right, wrong, torch.arange(n))


def compare(model: GPT2LMHeadModel, given: PromptPairs, layers: list[int]) -> dict[str, float]:
    """Seconds of each for all layers, mitool's ratios, and how far the two results differ."""
    seconds = {"mitool": 0.0, "transformer_lens": 0.0, "floor": 0.0}
    worst = 0.0
    bridge = bridge_of(model)
    chunk = timed(seconds, "mitool", partial(prepared, model, given))
    _, cache = timed(seconds, "transformer_lens", partial(bridge.run_with_cache, given.clean))
    sites = every_site(chunk, given)
    theirs_of = transformer_lens_sweep(bridge, given, cache)
    for layer in layers:
        own = [site for site in sites if site.layer == layer]
        ours = timed(seconds, "mitool", partial(sweep_sites, chunk, own)).values.mean(dim=1)
        theirs = timed(seconds, "transformer_lens", partial(theirs_of, own))
        timed(seconds, "floor", partial(floor, chunk.decoder, given, layer))
        worst = max(worst, (ours - theirs).abs().max().item())
    return {
        "sites": len(layers) * chunk.decoder.n_heads * given.clean.shape[1],
        **{f"{name}_s": value for name, value in seconds.items()},
        "ratio_to_transformer_lens": seconds["transformer_lens"] / seconds["mitool"],
        "ratio_to_floor": seconds["floor"] / seconds["mitool"],
        "largest_difference": worst,
    }


def timed(seconds: dict[str, float], name: str, work: Callable[[], Found]) -> Found:
    start = time.perf_counter()
    found = work()
    seconds[name] += time.perf_counter() - start
    return found


def prepared(model: GPT2LMHeadModel, given: PromptPairs) -> Chunk:
    decoder = decoder_of(model)
    clean = run(decoder, given.clean, given.answer_positions)
    corrupted = run(decoder, given.corrupted, given.answer_positions, clean.read.tables)
    judged = Judged(given, METRICS["logit-diff"], clean.logits)
    return Chunk(decoder, corrupted, clean, judged, 0, Budget(512 * 2**20))


def every_site(chunk: Chunk, given: PromptPairs) -> list[Site]:
    _, columns = columns_of([given], str)
    (family,) = families_of(chunk.decoder, columns, ["z_by_pos"])
    return list(family.sites())


def transformer_lens_sweep(
    bridge: TransformerBridge, given: PromptPairs, cache: ActivationCache
) -> Callable[[list[Site]], Tensor]:
    right, wrong = given.right[:, 0], given.wrong[:, 0]

    def metric(logits: Tensor) -> Tensor:
        return (logits[:, -1].gather(-1, right) - logits[:, -1].gather(-1, wrong)).mean()

    def sweep(sites: list[Site]) -> Tensor:
        index = pd.DataFrame([{"layer": s.layer, "pos": s.column, "head": s.head} for s in sites])
        found = patching.generic_activation_patch(
            bridge,
            given.corrupted,
            cache,
            metric,
            patching.layer_pos_head_vector_patch_setter,
            "z",
            index_df=index,
        )
        return found.double()

    return sweep


def floor(decoder: Decoder, given: PromptPairs, layer: int) -> None:
    """The products of a layer's sweep: its MLP at one position, then each later block, of which the
    first reads one position that is another.
    """
    n_pairs, n_positions = given.clean.shape
    d_model, d_mlp = decoder.d_model, decoder.d_mlp
    narrow, wide = torch.randn(d_model, d_model), torch.randn(d_model, d_mlp)

    def mlp(rows: Tensor) -> None:
        (rows @ wide) @ wide.T

    for start in range(n_positions):
        one = torch.randn(decoder.n_heads * n_pairs, d_model)
        later = torch.randn(len(one) * (n_positions - start), d_model)
        is_last = layer + 1 == decoder.n_layers
        if is_last and start + 1 < n_positions:
            continue  # behind the last attention nothing reaches the answer
        mlp(one)
        for block in range(layer + 1, decoder.n_layers):
            reads = one if block == layer + 1 else later
            kept = one if block + 1 == decoder.n_layers else later
            for rows in (reads, reads, one if kept is one else reads, kept):
                rows @ narrow
            mlp(kept)


if __name__ == "__main__":
    main()
