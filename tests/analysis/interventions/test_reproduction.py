"""Variants of a run that are not the model's own are refused, in the first runs of a study."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mitool.analysis.circuits.finding import ends_of
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions import edges
from mitool.analysis.interventions.columns import columns_of
from mitool.analysis.interventions.material import Material
from mitool.analysis.interventions.replace import Replacement
from mitool.analysis.metrics import METRICS
from mitool.core.errors import InputError
from mitool.models.decoder import Decoder, Projection
from tests.analysis.circuits.benches import bench_of
from tests.analysis.interventions.models import GROUPED, Model, pairs, parts_of, pretrained, toy

MODELS: dict[str, Callable[[], Model]] = {
    "toy": toy,
    "llama": lambda: pretrained("Llama", **GROUPED),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param]()


def material(model: Model) -> Material:
    groups, columns = columns_of([pairs(differ=(2, 3))], str)
    return Material("pairs", parts_of(model), groups, columns, METRICS["logit-diff"], str)


@pytest.mark.parametrize("along_edges", [False, True])
def test_variants_of_a_right_model_are_taken(model: Model, *, along_edges: bool) -> None:
    given = material(model)
    clean, _ = given.runs(given.groups[0], edges=along_edges)
    assert len(clean.logits) == given.n_pairs


def test_variants_turned_by_wrong_positions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Decoder.to_attention

    def from_the_first_on(
        decoder: Decoder, layer: int, letter: Any, x: Tensor, read: Any, start: int = 0, *rest: Any
    ) -> Tensor:
        return right(decoder, layer, letter, x, read, 0, *rest)

    given = material(MODELS["llama"]())
    monkeypatch.setattr(Decoder, "to_attention", from_the_first_on)
    with pytest.raises(InputError, match="the corrupted run entered beside others"):
        given.runs(given.groups[0])


def test_a_head_put_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Replacement._with_heads

    def of_the_next(replacement: Replacement, change: Any, *places: int) -> Tensor:
        return right(replacement, type(change)("z", 0, change.head + 1, 0, change.stop), *places)

    given = material(MODELS["llama"]())
    monkeypatch.setattr(Replacement, "_with_heads", of_the_next)
    with pytest.raises(InputError, match="L0H0, patched"):
        given.runs(given.groups[0])


def test_readers_given_one_anothers_inputs_are_refused(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Projection.of_heads

    def of_others(own: Projection, heads: list[int], x: Tensor, n_heads: int) -> Tensor:
        return right(own, heads[::-1], x, n_heads)

    given = material(model)
    monkeypatch.setattr(Projection, "of_heads", of_others)
    with pytest.raises(InputError, match="the input patched along all its edges"):
        given.runs(given.groups[0], edges=True)


def test_the_whole_model_beside_other_variants_is_held_against_the_model(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong only where variants stand side by side."""
    right = edges._Variants.logits

    def mixed(variants: Any) -> Tensor:
        found = right(variants)
        return found if len(found) == 1 else torch.cat([found[1:], found[:1]])

    bench = bench_of(model, pairs())
    units = Units(bench.table, "edge", bench.material.decoder.d_model)
    ends_of(bench, units)
    monkeypatch.setattr(edges._Variants, "logits", mixed)
    with pytest.raises(InputError, match="all edges kept, beside others,"):
        ends_of(bench, units)
