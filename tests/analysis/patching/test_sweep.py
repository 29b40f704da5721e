"""Sweeps against transformer_lens.patching, and against what must come out."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformer_lens import patching
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module

from mitool.analysis.interventions.batches import Budget, Judged
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.columns import columns_of
from mitool.analysis.interventions.run import Run
from mitool.analysis.metrics import METRICS
from mitool.analysis.patching.sites import Family, families_of
from mitool.analysis.patching.sweep import Swept, sweep_sites
from mitool.models.bridge import to_bridge
from mitool.models.transformer import ToyTransformer
from mitool.pairs.prompt_pairs import PromptPairs
from mitool.settings import MetricName
from tests.analysis.interventions.models import GROUPED, Model, both, linear, pairs, pretrained, toy

pytestmark = pytest.mark.usefixtures("exact_norms")

SAME_SWEEP: dict[str, Callable[..., Tensor]] = {
    "resid_pre": patching.get_act_patch_resid_pre,
    "attn_out": patching.get_act_patch_attn_out,
    "mlp_out": patching.get_act_patch_mlp_out,
    "z": patching.get_act_patch_attn_head_out_all_pos,
    "q": patching.get_act_patch_attn_head_q_all_pos,
    "k": patching.get_act_patch_attn_head_k_all_pos,
    "v": patching.get_act_patch_attn_head_v_all_pos,
    "pattern": patching.get_act_patch_attn_head_pattern_all_pos,
    "z_by_pos": patching.get_act_patch_attn_head_out_by_pos,
    "q_by_pos": patching.get_act_patch_attn_head_q_by_pos,
    "k_by_pos": patching.get_act_patch_attn_head_k_by_pos,
    "v_by_pos": patching.get_act_patch_attn_head_v_by_pos,
    "pattern_by_pos": patching.get_act_patch_attn_head_pattern_by_pos,
}
"""Of each family, what transformer-lens has. Its sweep of ``resid_mid`` patches, on a bridge, what
the MLP reads and not the stream, so that it is another one.
"""


def swept(
    model: Model,
    given: PromptPairs,
    *,
    source: Callable[[Run], Run] = lambda run: run,
    noise: bool = False,
    metric: MetricName = "logit-diff",
) -> tuple[dict[str, Tensor], Swept, Chunk]:
    """The metric of every site of every family [.., pair]."""
    decoder, clean, corrupted = both(model, given)
    base, other = (clean, corrupted) if noise else (corrupted, clean)
    judged = Judged(given, METRICS[metric], clean.logits)
    chunk = Chunk(decoder, base, source(other), judged, 0, Budget(2**22))
    _, columns = columns_of([given], str)
    families = families_of(decoder, columns, by_position=True)
    found = sweep_sites(chunk, [site for family in families for site in family.sites()])
    return _by_family(found.values, families), found, chunk


def _by_family(values: Tensor, families: list[Family]) -> dict[str, Tensor]:
    sizes = [torch.Size(family.shape).numel() for family in families]
    parts = zip(families, values.split(sizes), strict=True)
    return {family.name: part.unflatten(0, family.shape) for family, part in parts}


def bridge_of(model: Model) -> TransformerBridge:
    """A model as transformer-lens sees it."""
    if isinstance(model, ToyTransformer):
        return to_bridge(model).eval()
    return build_bridge_from_module(model, type(model).__name__, hf_config=model.config)


def _by_transformer_lens(name: str, bridge: TransformerBridge, given: PromptPairs) -> Tensor:
    right, wrong = given.right[:, 0], given.wrong[:, 0]

    def metric(logits: Tensor) -> Tensor:
        answers = logits[:, given.answer_positions[0]]
        return (answers.gather(-1, right) - answers.gather(-1, wrong)).mean()

    _, cache = bridge.run_with_cache(given.clean)
    found = SAME_SWEEP[name](bridge, given.corrupted, cache, metric)
    is_transposed = name.endswith("_by_pos") and name != "pattern_by_pos"
    return found.transpose(1, 2) if is_transposed else found


MODELS: dict[str, Callable[[], Model]] = {
    "toy": toy,
    "toy without MLP or norm": lambda: toy(attn_only=True, normalization_type="none"),
    "bidirectional toy": lambda: toy(attention_dir="bidirectional"),
    "GPT2": lambda: pretrained("GPT2"),
    "GPTNeoX": lambda: pretrained("GPTNeoX"),
    "Llama": lambda: pretrained("Llama", **GROUPED),
}


@pytest.mark.parametrize("kind", MODELS)
def test_the_sweeps_of_transformer_lens(kind: str) -> None:
    model, given = MODELS[kind](), pairs(answers=(4,))
    ours, _, _ = swept(model, given)
    bridge, compared = bridge_of(model), 0
    for name in set(SAME_SWEEP) & set(ours):
        theirs = _by_transformer_lens(name, bridge, given)
        if theirs.shape == ours[name].shape[:-1]:  # with shared keys it counts query heads
            torch.testing.assert_close(
                ours[name].mean(dim=-1),
                theirs.double(),
                rtol=0,
                atol=1e-5,
                msg=name,  # float32
            )
            compared += 1
    assert compared >= len(ours) - (6 if kind == "Llama" else 2)


def test_the_stream_between_attention_and_mlp_and_behind_both() -> None:
    model, given = toy(), pairs()
    ours, _, chunk = swept(model, given)
    bridge = to_bridge(model)
    base, source = chunk.base, chunk.source
    for layer in range(2):
        for place in range(6):
            # what attention would have to write for the stream to be the source's there
            put = source.layers[layer].resid_mid - base.layers[layer].resid_pre
            found = _with_hook(bridge, given, f"blocks.{layer}.hook_attn_out", place, put)
            torch.testing.assert_close(ours["resid_mid"][layer, place], found, rtol=0, atol=1e-11)
            put = source.layers[layer].resid_post
            found = _with_hook(bridge, given, f"blocks.{layer}.hook_resid_post", place, put)
            torch.testing.assert_close(ours["resid_post"][layer, place], found, rtol=0, atol=1e-11)


def _with_hook(
    bridge: TransformerBridge, given: PromptPairs, hook: str, place: int, put: Tensor
) -> Tensor:
    def patch(value: Tensor, **_: Any) -> Tensor:
        value[:, place] = put[:, place]
        return value

    logits = bridge.run_with_hooks(given.corrupted, fwd_hooks=[(hook, patch)])[:, [5]]
    return METRICS["logit-diff"](logits[None], given, logits)[0]


def test_shared_keys_and_values_are_patched_for_all_heads_that_share_them() -> None:
    model, given = pretrained("Llama", **GROUPED), pairs()
    ours, _, _ = swept(model, given)
    bridge = bridge_of(model)
    _, cache = bridge.run_with_cache(given.clean)
    for letter in ("k", "v"):
        assert ours[letter].shape == (2, 2, len(given))
        for layer in range(2):
            for head in range(2):
                name = f"blocks.{layer}.attn.hook_{letter}"

                def patch(value: Tensor, *, at: int = head, of: str = name, **_: Any) -> Tensor:
                    value[:, :, at] = cache[of][:, :, at]
                    return value

                logits = bridge.run_with_hooks(given.corrupted, fwd_hooks=[(name, patch)])[:, [5]]
                expected = METRICS["logit-diff"](logits[None], given, logits)[0]
                torch.testing.assert_close(ours[letter][layer, head], expected, rtol=0, atol=1e-10)


def test_a_site_that_is_the_same_in_both_runs_is_said_to_be_unchanged() -> None:
    given = pairs(differ=(2,))
    values, found, chunk = swept(toy(), given)
    _, columns = columns_of([given], str)
    families = families_of(chunk.decoder, columns, by_position=True)
    changed = _by_family(found.changed, families)
    for name in ("resid_pre", "resid_post", "attn_out", "mlp_out", "z_by_pos", "k_by_pos"):
        assert not changed[name][..., :2, :].any()  # before the difference
        expected = chunk.unpatched.expand_as(values[name][..., :2, :])
        torch.testing.assert_close(values[name][..., :2, :], expected)
        assert changed[name][-1, ..., 2:, :].all()
    assert not changed["resid_pre"][0, 3:].any()  # the embeddings behind it


def test_a_pair_is_not_changed_by_where_another_differs() -> None:
    given = pairs(n=2, differ=(1, 3))
    given.corrupted[0, 1] = given.clean[0, 1]
    _, found, chunk = swept(toy(), given)
    _, columns = columns_of([given], str)
    families = families_of(chunk.decoder, columns, by_position=True)
    assert _by_family(found.changed, families)["resid_pre"][0, 1].tolist() == [False, True]


def test_attention_that_is_linear_makes_noise_and_denoise_agree() -> None:
    model, given = linear(), pairs()
    denoised, _, one = swept(model, given)
    noised, _, other = swept(model, given, noise=True)
    gap = other.unpatched - one.unpatched
    for name in denoised:
        restored, lost = denoised[name] - one.unpatched, other.unpatched - noised[name]
        torch.testing.assert_close(restored, lost, rtol=0, atol=1e-11)
    # and there the stream's positions share the difference between them
    torch.testing.assert_close(
        (denoised["resid_pre"] - one.unpatched).sum(dim=1), gap.expand(2, -1)
    )
