"""Sites of pretrained models of every architecture, against hooks on the models' own modules."""

import random

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from mitool.analysis.interventions.columns import Column, columns_of
from mitool.analysis.metrics import METRICS
from mitool.analysis.patching.sites import Family, Site, families_of
from mitool.pairs.prompt_pairs import PromptPairs
from tests.analysis.interventions.models import pairs
from tests.analysis.patching.test_sweep import swept
from tests.huggingface.configurations import KINDS, OTHERS
from tests.huggingface.places import Block, places_of
from tests.huggingface.random_models import NO_PARTS, n_variants, random_model
from tests.huggingface.runs import Hook, logits_of, recorded
from tests.huggingface.runs import Site as AnySite
from tests.huggingface.runs import patched_logits as patched

pytestmark = pytest.mark.usefixtures("exact_norms")

COUPLED = ("olmo2", "olmoe", "gemma3_text", "opt", "gpt_oss")
"""Architectures of which every variant is tried each time; of the others the first, and the rest by
``make test-slow``.
"""

EXACT = {"rtol": 0.0, "atol": 1e-10}

VARIANTS = [
    pytest.param(kind, seed, marks=[pytest.mark.slow] if seed and kind not in COUPLED else [])
    for kind in (*KINDS, *OTHERS)
    for seed in range(n_variants(kind))
    if (kind, seed) not in NO_PARTS
]


class Hooked:
    """A pretrained model whose sites are patched in a run of it all."""

    def __init__(self, model: PreTrainedModel, given: PromptPairs) -> None:
        self.model, self.given, self.places = model, given, places_of(model)
        with torch.no_grad():
            self.source, self.base = (
                recorded(model, tokens) for tokens in (given.clean, given.corrupted)
            )

    def metric(self, site: Site) -> Tensor:
        """What is patched is the corrupted run."""
        logits = self._logits(site)[:, list(self.given.answer_positions)]
        return METRICS["logit-diff"](logits[None], self.given, logits)[0]

    def _logits(self, site: Site) -> Tensor:
        layer, at, own = site.layer, site.column, site.family.activation
        match own:
            case "resid_pre" | "resid_post" | "attn_out" | "mlp_out":
                value = _at(getattr(self.source, own)[layer], at)
                return self._patched(layer, own, value, position=at)
            case "resid_mid":
                return self._between(layer, at)
            case "z":
                z = self._of_heads(self.source.z[layer])[:, :, site.head]
                return self._patched(layer, "z", _at(z, at), head=site.head, position=at)
            case "q" | "k" | "v":
                return self._projected(site)
        raise AssertionError(own)

    def _patched(self, layer: int, site: AnySite, value: Tensor, **where: int | None) -> Tensor:
        return patched(self.model, self.given.corrupted, layer, site, value, **where)

    def _between(self, layer: int, at: int | None) -> Tensor:
        """The stream between attention and MLP is the source's where attention writes that."""
        block, own = self.places.blocks[layer], self.base.resid_pre[layer]
        new = self.source.mlp_reads[layer].view_as(own)
        if (norm := block.stream_norms.get("after_attn")) is not None:
            return self._run([_put(norm, new, at)])
        write = new - own
        return self._patched(layer, "attn_out", _at(write, at), position=at)

    def _projected(self, site: Site) -> Tensor:
        block: Block = self.places.blocks[site.layer]
        name = site.family.activation
        assert name in ("q", "k", "v")
        columns = block.columns[name][site.head]
        value = self.source.projected[site.layer][name]
        return self._run([_put(block.projection(name), value, site.column, columns)])

    def _run(self, hooks: list[Hook]) -> Tensor:
        with torch.no_grad():
            return logits_of(self.model, self.given.corrupted, hooks)

    def _of_heads(self, z: Tensor) -> Tensor:
        return z.unflatten(-1, (self.places.n_heads, self.places.d_head))


def _at(x: Tensor, at: int | None) -> Tensor:
    return x if at is None else x[:, at]


def _put(
    module: torch.nn.Module, value: Tensor, at: int | None, columns: Tensor | None = None
) -> Hook:
    def change(own: Tensor) -> Tensor:
        shaped, new = value.view(own.shape), own.clone()
        rows = slice(None) if at is None else slice(at, at + 1)
        if columns is None:
            new[:, rows] = shaped[:, rows]
        else:
            new[:, rows, columns] = shaped[:, rows, columns]
        return new

    return Hook(module, "output", change)


def _drawn(family: Family, variant: str) -> Site:
    """One of a family's sites, another one for each variant of each architecture."""
    return random.Random(f"{variant} {family.name}").choice(list(family.sites()))


@pytest.mark.parametrize(("kind", "seed"), VARIANTS)
def test_sites_of_every_architecture(kind: str, seed: int) -> None:
    model, given = random_model(kind, seed), pairs(n=2, differ=(1, 3, 4), answers=(4, 5))
    ours, _, chunk = swept(model, given)
    hooked, changed = Hooked(model, given), 0
    families = families_of(chunk.decoder, _columns(given), by_position=True)
    for family in families:
        if family.activation == "pattern":
            continue
        site = _drawn(family, f"{kind} {seed}")
        where = [place for place in (site.layer, site.head, site.column) if place is not None]
        found, expected = ours[family.name][tuple(where)], hooked.metric(site)
        torch.testing.assert_close(found, expected, **EXACT, msg=site.name)
        changed += bool((expected - chunk.unpatched).abs().max() > 1e-6)
    assert changed > len(families) // 3


def _columns(given: PromptPairs) -> tuple[Column, ...]:
    return columns_of([given], str)[1]


@pytest.mark.parametrize("kind", ["gpt_oss", "gemma2", "olmo2", "bloom", "cohere", "mistral"])
def test_patterns_take_the_place_of_a_heads_own(kind: str) -> None:
    """A head's z is then the other run's weights over this run's values."""
    model, given = random_model(kind, 0), pairs(n=2, differ=(1, 3))
    ours, _, chunk = swept(model, given)
    hooked = Hooked(model, given)
    for layer, head in ((0, 1), (1, 2)):
        base, source = chunk.base.layers[layer], chunk.source.layers[layer]
        z = source.pattern[:, head] @ base.used_v[:, head // chunk.decoder.group]
        logits = hooked._patched(layer, "z", z, head=head)[:, [5]]
        expected = METRICS["logit-diff"](logits[None], given, logits)[0]
        torch.testing.assert_close(ours["pattern"][layer, head], expected, **EXACT)
