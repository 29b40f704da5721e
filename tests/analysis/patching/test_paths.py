"""Paths and edges: against runs with hooks, and against what they must add up to."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from mitool.analysis.interventions.batches import Budget, Judged
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.graph import Graph
from mitool.analysis.interventions.restart import Entry, Restart
from mitool.analysis.metrics import METRICS
from mitool.analysis.patching.paths import paths_of
from mitool.analysis.patching.sweep import patch_together, sweep_paths
from mitool.core.errors import InputError
from mitool.models.bridge import to_bridge
from mitool.models.transformer import ToyTransformer
from mitool.settings import Between
from tests.analysis.interventions.models import GROUPED, Model, both, pairs, pretrained, toy
from tests.analysis.patching.test_sweep import swept
from tests.huggingface.places import places_of
from tests.huggingface.random_models import random_model
from tests.huggingface.runs import Hook, Site, logits_of, patched_logits, site_of

pytestmark = pytest.mark.usefixtures("exact_norms")

EXACT = {"rtol": 0.0, "atol": 1e-10}

VARIANTS = {"gptj": 0, "bloom": 0, "gemma2": 1, "olmo2": 0, "gpt_oss": 0, "stablelm": 0}
MORE_VARIANTS = {"cohere": 0, "opt": 2, "granite": 0, "falcon": 2, "gpt2": 0, "llama": 0}

KINDS: dict[str, Callable[[], Model]] = {
    "toy": toy,
    "bidirectional toy": lambda: toy(attention_dir="bidirectional"),
    "GPTNeoX": lambda: pretrained("GPTNeoX"),
    "Llama": lambda: pretrained("Llama", **GROUPED),
    "olmo2 of shared keys": lambda: random_model("olmo2", 1),
    **{kind: partial(random_model, kind, n) for kind, n in (VARIANTS | MORE_VARIANTS).items()},
}


def chunk_of(model: Model, answers: tuple[int, ...] = (5,)) -> Chunk:
    given = pairs(answers=answers)
    decoder, clean, corrupted = both(model, given)
    judged = Judged(given, METRICS["logit-diff"], clean.logits)
    return Chunk(decoder, corrupted, clean, judged, 0, Budget(2**22))


def patched(chunk: Chunk, *patterns: str, between: Between = "frozen") -> Tensor:
    """The metric with each path patched alone: [path, pair]."""
    edges = Graph.of(chunk.decoder).matching(patterns, "--path")
    return sweep_paths(chunk, paths_of(edges), between).values


def together(chunk: Chunk, *patterns: str) -> Tensor:
    edges = Graph.of(chunk.decoder).matching(patterns, "--edge")
    return patch_together(chunk, edges).values[0]


@pytest.mark.parametrize("direction", ["causal", "bidirectional"])
@pytest.mark.parametrize("node", ["L0H1", "L1H2", "MLP0", "MLP1", "input"])
def test_all_edges_out_of_a_node_patch_the_node(node: str, direction: str) -> None:
    model = toy(attention_dir=direction, n_layers=3)
    chunk = chunk_of(model)
    values, _, _ = swept(model, chunk.judged.pairs)
    layer = int(node[-1]) if node.startswith("MLP") else 0
    if node.startswith("L"):
        expected = values["z"][int(node[1]), int(node[-1])]
    elif node == "input":
        expected = chunk.judged(chunk.source.logits[None])[0]
    else:
        whole = chunk.source.layers[layer].mlp_out
        entry = Entry(layer + 1, "pre", 0, chunk.base.layers[layer].resid_mid + whole[None])
        expected = chunk.judged(chunk.restart.logits(entry))[0]
    torch.testing.assert_close(together(chunk, f"{node}->*"), expected, **EXACT)
    # every path out of it to the logits, which is what recomputing all between comes to
    to_logits = patched(chunk, f"{node}->logits", between="recomputed")[0]
    torch.testing.assert_close(to_logits, expected, **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_all_edges_carry_the_other_run_over_and_none_changes_nothing(kind: str) -> None:
    chunk = chunk_of(KINDS[kind]())
    clean = chunk.judged(chunk.source.logits[None])[0]
    torch.testing.assert_close(together(chunk, "*->*"), clean, **EXACT)
    torch.testing.assert_close(together(chunk, "input->*"), clean, **EXACT)
    torch.testing.assert_close(chunk.edge_runs.patched([])[0], chunk.base.logits, **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_an_edge_alone_is_the_same_edge_among_many(kind: str) -> None:
    """The fast way, from the reader on, against the whole run with an input for each reader."""
    chunk = chunk_of(KINDS[kind]())
    edges = list(Graph.of(chunk.decoder).edges())[:: 1 if "toy" in kind else 3]
    alone = sweep_paths(chunk, [path for edge in edges for path in paths_of([edge])], "frozen")
    for edge, values in zip(edges, alone.values, strict=True):
        expected = patch_together(chunk, [edge]).values[0]
        torch.testing.assert_close(values, expected, **EXACT, msg=str(edge))


@pytest.mark.parametrize("kind", ["olmo2", "olmo2 of shared keys", "gemma2", "stablelm"])
def test_a_path_to_a_head_is_its_three_edges_whatever_its_norms(kind: str) -> None:
    chunk = chunk_of(KINDS[kind]())
    for pattern in ("L0H1->L1H2", "MLP0->L1H0"):
        torch.testing.assert_close(
            patched(chunk, pattern)[0], together(chunk, pattern), **EXACT, msg=pattern
        )


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gptj", "gemma2", "olmo2", "gpt_oss", "granite"])
def test_every_path_from_a_node_to_the_logits_by_hooks(kind: str) -> None:
    """What a node writes is another run's, and all after it is computed anew by the model."""
    model = KINDS[kind]()
    assert isinstance(model, PreTrainedModel)
    chunk = chunk_of(model)
    given, source, base = chunk.judged.pairs, chunk.source.layers, chunk.base.layers
    for layer in range(2):
        changes = {f"MLP{layer}": source[layer].mlp_out}
        for head in (0, 3):
            W = chunk.decoder.layers[layer].W_write[head]
            change = (source[layer].z_written - base[layer].z_written)[:, head] @ W
            changes[f"L{layer}H{head}"] = base[layer].attn_out + change
        for node, value in changes.items():
            site: Site = "mlp_out" if node.startswith("MLP") else "attn_out"
            logits = patched_logits(model, given.corrupted, layer, site, value)[:, [5]]
            expected = METRICS["logit-diff"](logits[None], given, logits)[0]
            found = patched(chunk, f"{node}->logits", between="recomputed")[0]
            torch.testing.assert_close(found, expected, **EXACT, msg=node)


@pytest.mark.parametrize("kind", ["gptj", "cohere", "stablelm", "bloom", "gemma2", "granite"])
def test_heads_stay_and_mlps_follow_by_hooks(kind: str) -> None:
    """What one node writes is another run's, and all that later attention writes is the run's own:
    the model's own MLPs make the rest of it, those too that read beside attention.
    """
    model = KINDS[kind]()
    assert isinstance(model, PreTrainedModel)
    chunk = chunk_of(model)
    given, source, base = chunk.judged.pairs, chunk.source.layers, chunk.base.layers
    W = chunk.decoder.layers[0].W_write[1]
    of_head = (source[0].z_written - base[0].z_written)[:, 1] @ W
    changes: dict[str, tuple[Site, Tensor]] = {
        "a0.h1": ("attn_out", base[0].attn_out + of_head),
        "m0": ("mlp_out", source[0].mlp_out),
    }
    blocks = places_of(model).blocks
    for node, (site, value) in changes.items():
        later: list[tuple[int, Site, Tensor]] = [
            (n, "attn_out", base[n].attn_out) for n in range(1, len(blocks))
        ]
        hooks = [
            Hook(*site_of(blocks[layer], at), partial(_instead, whole / blocks[layer].multiplier))
            for layer, at, whole in [(0, site, value), *later]
        ]
        logits = logits_of(model, given.corrupted, hooks)[:, [5]]
        expected = METRICS["logit-diff"](logits[None], given, logits)[0]
        found = patched(chunk, f"{node}->logits", between="mlps")[0]
        torch.testing.assert_close(found, expected, **EXACT, msg=node)


def _instead(value: Tensor, x: Tensor) -> Tensor:
    return value.clone().view(x.shape)


@pytest.mark.parametrize("between", ["frozen", "mlps", "recomputed"])
def test_a_stream_that_is_no_sum_has_no_paths(between: Between) -> None:
    chunk = chunk_of(random_model("opt", 1))
    with pytest.raises(InputError, match="patching along paths expects a residual stream"):
        patched(chunk, "L0H1->L1H2", between=between)


def test_a_path_to_a_head_is_its_three_edges() -> None:
    chunk = chunk_of(toy())
    torch.testing.assert_close(
        patched(chunk, "L0H1->L1H2")[0], together(chunk, "L0H1->L1H2"), **EXACT
    )


def test_a_direct_path_by_hooks() -> None:
    """The reader's MLP input with the writer's change added, put in by a hook on the bridge."""
    model = toy()
    chunk, bridge = chunk_of(model), to_bridge(model)
    given, base, source = chunk.judged.pairs, chunk.base, chunk.source
    W_O = chunk.decoder.layers[0].W_O[1]
    change = (source.layers[0].z[:, 1] - base.layers[0].z[:, 1]) @ W_O

    def into_mlp(value: Tensor, **_: Any) -> Tensor:
        return value + change

    hooks = [("blocks.1.ln2.hook_in", into_mlp)]
    logits = bridge.run_with_hooks(given.corrupted, fwd_hooks=hooks)[:, [5]]
    expected = METRICS["logit-diff"](logits[None], given, logits)[0]
    torch.testing.assert_close(patched(chunk, "L0H1->MLP1")[0], expected, **EXACT)


def _two_passes(model: ToyTransformer, chunk: Chunk, *, heads_stay: bool) -> Tensor:
    """L0H1 -> MLP2's input by two runs with hooks: the change flows, then only MLP2 sees it."""
    bridge, given = to_bridge(model), chunk.judged.pairs
    base, source = chunk.base, chunk.source
    seen: list[Tensor] = []

    def put_z(value: Tensor, **_: Any) -> Tensor:
        value[:, :, 1] = source.layers[0].z[:, 1]
        return value

    def freeze(layer: int) -> Any:
        def hook(value: Tensor, **_: Any) -> Tensor:
            kept = base.layers[layer].z.transpose(1, 2).clone()
            if layer == 0:
                kept[:, :, 1] = source.layers[0].z[:, 1]
            return kept

        return hook

    def see(value: Tensor, **_: Any) -> Tensor:
        seen.append(value.clone())
        return value

    def put_seen(value: Tensor, **_: Any) -> Tensor:
        return seen[0]

    name = "blocks.{}.attn.hook_z"
    hooks = [(name.format(0), put_z)]
    if heads_stay:
        hooks = [(name.format(layer), freeze(layer)) for layer in range(3)]
    bridge.run_with_hooks(given.corrupted, fwd_hooks=[*hooks, ("blocks.2.ln2.hook_in", see)])
    put = [("blocks.2.ln2.hook_in", put_seen)]
    logits = bridge.run_with_hooks(given.corrupted, fwd_hooks=put)[:, [5]]
    return METRICS["logit-diff"](logits[None], given, logits)[0]


@pytest.mark.parametrize("between", ["mlps", "recomputed"])
def test_what_lies_between_is_recomputed_as_two_passes_do(between: Between) -> None:
    model = toy(n_layers=3)
    chunk = chunk_of(model)
    expected = _two_passes(model, chunk, heads_stay=between == "mlps")
    torch.testing.assert_close(patched(chunk, "L0H1->MLP2", between=between)[0], expected, **EXACT)
    frozen = patched(chunk, "L0H1->MLP2")[0]
    assert (frozen - expected).abs().max() > 1e-4  # the definitions are not the same


def test_without_mlps_the_two_definitions_that_keep_heads_agree() -> None:
    chunk = chunk_of(toy(n_layers=3, attn_only=True))
    for pattern in ("L0H*->L2H*", "input->logits", "L1H0->logits"):
        torch.testing.assert_close(
            patched(chunk, pattern, between="mlps"), patched(chunk, pattern), **EXACT
        )


@pytest.mark.parametrize("between", ["frozen", "mlps", "recomputed"])
def test_neighbours_have_nothing_between(between: Between) -> None:
    chunk = chunk_of(toy())
    for pattern in ("L0H1->MLP0", "MLP0->L1H2", "L1H0->MLP1", "MLP1->logits"):
        found = patched(chunk, pattern, between=between)
        torch.testing.assert_close(found, patched(chunk, pattern), **EXACT)


def test_paths_of_many_readers_and_writers_in_batches() -> None:
    chunk = chunk_of(toy(n_layers=3), answers=(2, 5))
    whole = patched(chunk, "*->*", between="recomputed")
    small = Chunk(chunk.decoder, chunk.base, chunk.source, chunk.judged, 0, Budget(1))
    torch.testing.assert_close(patched(small, "*->*", between="recomputed"), whole, **EXACT)


def test_logits_at_positions_before_the_change_stay() -> None:
    given = pairs(differ=(3,), answers=(1,))
    decoder, clean, corrupted = both(toy(), given)
    chunk = Chunk(
        decoder,
        corrupted,
        clean,
        Judged(given, METRICS["logit-diff"], clean.logits),
        0,
        Budget(2**20),
    )
    values = patched(chunk, "*->*", between="recomputed")
    torch.testing.assert_close(values, chunk.unpatched.expand_as(values), **EXACT)
    assert Restart(decoder, corrupted, (1,)).graph == Graph.of(decoder)
