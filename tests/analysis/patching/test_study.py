"""The study as a whole: groups, chunks, ablations and what they come to."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from mitool.analysis.interventions.ablate import averaged, columns_at, means_of, zeroed
from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.run import LayerRun, Run
from mitool.analysis.metrics import METRICS
from mitool.analysis.patching import Wanted, patch, prepare_patching
from mitool.analysis.patching.study import measure
from mitool.core.device import exact
from mitool.core.errors import InputError, Interrupted, UsageError
from mitool.models.bridge import to_bridge
from mitool.models.pretrained import Pretrained, load_pretrained
from mitool.models.subject import Subject
from mitool.settings import PatchSettings
from mitool.tasks.sort import Sort
from tests.analysis.attention.models import random_model, subject_of, tiny_llama
from tests.analysis.interventions.models import both, pairs, toy
from tests.analysis.patching.test_sweep import swept

EXACT = {"rtol": 0.0, "atol": 1e-11}

PAIRS = """clean,corrupted,correct,incorrect
w1 w2 w3,w1 w4 w3, w5, w6
w7 w8 w2 w9 w3,w7 w8 w4 w9 w3, w1, w2
w3 w2 w1,w3 w5 w1, w8, w9
"""


def a_sorter() -> Subject:
    task = Sort(length=3, max_value=5)
    sizes = {"d_vocab": task.d_vocab, "d_vocab_out": task.d_vocab_out, "n_ctx": task.n_ctx}
    model = random_model(
        n_layers=2, attn_only=False, positional="learned", normalization_type="LN", **sizes
    )
    return subject_of(model, task)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    return load_pretrained(tiny_llama(tmp_path_factory.mktemp("llama")))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.csv"
    path.write_text(PAIRS)
    return path


def test_chunks_of_pairs_and_batches_change_nothing(llama: Pretrained, file: Path) -> None:
    prepared = prepare_patching(llama, PatchSettings(by_position=True), pairs=file, device=exact())
    whole = prepared.run()
    small = measure(prepared.material, prepared.plan, Budget(1))
    for name, values in whole.measured.values.items():
        torch.testing.assert_close(small.values[name], values, rtol=1e-4, atol=1e-5)
        assert torch.equal(small.changed[name], whole.measured.changed[name])
    torch.testing.assert_close(small.clean, whole.measured.clean, rtol=1e-5, atol=1e-6)


def test_values_stand_in_the_order_of_the_file(llama: Pretrained, file: Path) -> None:
    found = patch(llama, pairs=file, device=exact()).measured
    for place, line in enumerate(PAIRS.splitlines()[1:]):
        clean, corrupted, correct, incorrect = line.split(",")
        right, wrong = (int(llama.encode(clean + answer)[-1]) for answer in (correct, incorrect))
        for text, values in ((clean, found.clean), (corrupted, found.corrupted)):
            logits = llama.model(llama.encode(text)[None]).logits[0, -1]
            expected = (logits[right] - logits[wrong]).item()
            assert values[place].item() == pytest.approx(expected, abs=1e-5)


def test_what_is_patched_sooner_or_later_is_told(llama: Pretrained, file: Path) -> None:
    told: list[tuple[int, int]] = []
    wanted = Wanted(sites=["z", "resid_*"], edges=["L0H*->logits"])
    prepared = prepare_patching(llama, wanted=wanted, pairs=file)
    prepared.run(lambda done, total: told.append((done, total)))
    done, totals = zip(*told, strict=True)
    assert set(totals) == {3 * prepared.plan.n_variants}
    assert list(done) == sorted(done)
    assert done[-1] == totals[0]


def test_a_tasks_pairs_and_several_answers() -> None:
    settings = PatchSettings(n_pairs=20, resamples=100)
    prepared = prepare_patching(a_sorter(), settings, device=exact())
    result = prepared.run()
    assert result.claims["n_pairs"] == 20
    assert result.claims["metric"] == "logit difference"
    by_name = {family.name: family for family in result.plan.families}
    last = result.effects["resid_post"].effect.view(by_name["resid_post"].shape)[-1]
    # behind the last block the answers' own positions share the difference
    assert last.sum().item() == pytest.approx(1.0)
    (given,) = prepared.material.groups
    embedded = result.effects["resid_pre"].changed.view(by_name["resid_pre"].shape)[0]
    torch.testing.assert_close(embedded, (given.clean != given.corrupted).double().mean(dim=0))


@pytest.mark.parametrize("metric", [*METRICS, None])
def test_every_metric_of_a_task(metric: Any) -> None:
    subject = a_sorter()
    if metric == "greater-than":
        with pytest.raises(UsageError, match="labels of a file"):
            patch(subject, PatchSettings(metric=metric))
        return
    settings = PatchSettings(metric=metric, n_pairs=30, resamples=100)
    result = patch(subject, settings, sites=["resid_pre", "z"], device=exact())
    assert all(values.isfinite().all() for values in result.measured.values.values())
    first = result.effects["resid_pre"].effect
    if metric == "kl":
        assert result.claims["clean_metric"] == pytest.approx(0, abs=1e-12)
    assert first.isfinite().all() == (
        metric != "accuracy" or result.claims["top_effect"] is not None
    )


def test_ablations_go_into_the_clean_run() -> None:
    given, model = pairs(), toy()
    decoder, clean, _ = both(model, given)
    values, _, _ = swept(model, given, source=zeroed, noise=True)
    bridge = to_bridge(model)
    for layer in range(2):
        for head in range(3):

            def zero(value: torch.Tensor, *, at: int = head, **_: Any) -> torch.Tensor:
                value[:, :, at] = 0
                return value

            hooks = [(f"blocks.{layer}.attn.hook_z", zero)]
            logits = bridge.run_with_hooks(given.clean, fwd_hooks=hooks)[:, [5]]
            expected = METRICS["logit-diff"](logits[None], given, logits)[0]
            torch.testing.assert_close(values["z"][layer, head], expected, **EXACT)
    assert decoder.n_layers == len(clean.layers)


def _activations(run: Run) -> dict[str, torch.Tensor]:
    layer: LayerRun = run.layers[1]
    names = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z")
    return {name: getattr(layer, name) for name in names}


def test_means_are_over_pairs_and_over_the_positions_of_a_column() -> None:
    given = pairs(n=7)
    _, clean, corrupted = both(toy(), given)
    columns = [Column("a", "", ((0, 2), (0, 1))), Column("b", "", ((2, 6), (1, 6)))]
    means = means_of([(clean, 0), (corrupted, 1)], columns)
    found = _activations(averaged(clean, means, columns_at(columns, 0, 6)))
    own, other = _activations(clean), _activations(corrupted)
    for name, values in found.items():
        axis = 2 if name in "qkvz" else 1
        first, second = (x.movedim(axis, 0).flatten(0, 1) for x in (own[name], other[name]))
        by_position = [x.unflatten(0, (6, 7)) for x in (first, second)]
        a = torch.cat([by_position[0][:2].flatten(0, 1), by_position[1][:1].flatten(0, 1)])
        b = torch.cat([by_position[0][2:].flatten(0, 1), by_position[1][1:].flatten(0, 1)])
        expected = [a.mean(dim=0)] * 2 + [b.mean(dim=0)] * 4
        for place in range(6):
            torch.testing.assert_close(
                values.select(axis, place), expected[place].expand_as(values.select(axis, place))
            )


def test_means_by_position_of_pairs_that_are_alike_change_nothing() -> None:
    """One pair is its own mean; of several positions the mean is another."""
    subject, sites = a_sorter(), ["resid_*", "attn_out", "mlp_out", "z", "q", "k", "v"]
    settings = PatchSettings(n_pairs=1, resamples=100, ablation="mean-positional")
    result = patch(subject, settings, sites=sites, device=exact())
    assert result.claims["n_unchanged"] == result.claims["n_sites"]
    assert len(result.warnings) >= len(sites)
    result = patch(subject, replace(settings, ablation="mean"), sites=sites, device=exact())
    assert result.claims["n_unchanged"] == 0


def test_what_is_not_defined_is_refused(llama: Pretrained, file: Path) -> None:
    mean, zero = PatchSettings(ablation="mean"), PatchSettings(ablation="zero", direction="denoise")
    with pytest.raises(UsageError, match="--site pattern.*no mean"):
        patch(llama, mean, pairs=file, sites=["pattern"])
    assert "pattern" not in patch(llama, mean, pairs=file).effects
    with pytest.raises(UsageError, match="--direction denoise"):
        patch(llama, zero, pairs=file)
    with pytest.raises(UsageError, match="--pairs FILE"):
        patch(llama)
    with pytest.raises(UsageError, match="did you mean 'mlp_out'"):
        patch(llama, pairs=file, sites=["mlp_uot"])


def test_answers_that_a_metric_needs(llama: Pretrained, tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("clean,corrupted\nw1 w2,w1 w3\n")
    with pytest.raises(
        InputError, match="expected a right and a wrong answer.*--metric logit-diff"
    ):
        patch(llama, pairs=path)
    result = patch(llama, PatchSettings(metric="kl", resamples=100), pairs=path)
    assert result.claims["clean_accuracy"] is None
    assert "clean_accuracy is undefined: the pairs come without answers" in result.warnings
    assert result.claims["top_effect"] is not None
    path.write_text("clean,corrupted,label\nw1 12 w2,w1 01 w2,12\n")
    with pytest.raises(UsageError, match="give --metric greater-than"):
        patch(llama, pairs=path)


def test_an_effect_is_undefined_where_the_runs_do_not_differ(llama: Pretrained, file: Path) -> None:
    result = patch(llama, PatchSettings(metric="accuracy", resamples=100), pairs=file)
    assert result.claims["clean_metric"] == result.claims["corrupted_metric"] == 0
    assert result.claims["top_effect"] is None
    assert result.claims["top_effect_ci"] is None
    assert result.conclusion is None
    assert any("effects are undefined: the metric is the same" in said for said in result.warnings)
    assert all(row["normalised"] is None for row in result.documents()["effects.json"]["z"])


def test_noise_counts_what_is_taken_away(llama: Pretrained, file: Path) -> None:
    result = patch(llama, PatchSettings(direction="noise", resamples=100), pairs=file)
    rows = {row["site"]: row for row in result.documents()["effects.json"]["resid_post"]}
    everything = rows["resid_post.L1.end"]
    assert everything["effect"] == pytest.approx(1, abs=1e-5)
    assert everything["normalised"] == pytest.approx(0, abs=1e-5)
    assert everything["metric"] == pytest.approx(result.claims["corrupted_metric"], abs=1e-5)
    for row in rows.values():
        assert row["effect"] == pytest.approx(1 - row["normalised"])


def test_the_same_seed_gives_the_same_claims() -> None:
    settings = PatchSettings(n_pairs=12, resamples=100)
    first, again = (patch(a_sorter(), settings, seed=3) for _ in range(2))
    other = patch(a_sorter(), settings, seed=4)
    assert first.claims == again.claims
    assert first.claims != other.claims


def test_edges_are_patched_alone_and_all_at_once() -> None:
    subject = a_sorter()
    settings = PatchSettings(n_pairs=10, resamples=100)
    result = patch(subject, settings, edges=["*->*"], device=exact())
    assert result.claims["all_edges_effect"] == pytest.approx(1)
    assert result.claims["n_sites"] == len(result.plan.edges)
    assert set(result.effects) == {"edge", "all_edges"}
    one = patch(subject, settings, edges=["MLP1->logits"], sites=["z"], device=exact())
    assert one.claims["all_edges_effect"] == one.claims["effects.MLP1->logits"]
    assert set(one.effects) == {"z", "edge", "all_edges"}


def test_a_signal_while_a_model_loads_is_no_fault_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_llama(tmp_path / "llama")

    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted("interrupted by SIGTERM", signal.SIGTERM)

    monkeypatch.setattr(PreTrainedModel, "from_pretrained", interrupted)
    with pytest.raises(Interrupted):
        load_pretrained(folder)


def test_names_come_as_lists() -> None:
    with pytest.raises(UsageError, match="sites: expected a list of names, found the text 'z'"):
        patch(a_sorter(), sites="z")
