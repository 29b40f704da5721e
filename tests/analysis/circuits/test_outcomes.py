"""What becomes of the answer: full and empty circuits to the bit, other measures by torch's own."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mitool.analysis.circuits import outcomes as of_outcomes
from mitool.analysis.circuits.bench import Bench, divided
from mitool.analysis.circuits.faithfulness import Curve, Ends
from mitool.analysis.circuits.outcomes import all_and_none, outcomes
from mitool.analysis.circuits.select import FRACTIONS
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.edges import Kept
from mitool.settings import Ablation, Level
from tests.analysis.circuits.benches import bench_of, scoring_of
from tests.analysis.interventions.models import N_PAIRS, pairs, toy
from tests.analysis.interventions.twin import Twin, slow_logits

pytestmark = pytest.mark.usefixtures("exact_norms")

EXACT = {"rtol": 0.0, "atol": 1e-10}


def chosen_of(units: Units, n: int = 6) -> Tensor:
    """Random circuits, the model and nothing among them, some of them twice."""
    generator = torch.Generator().manual_seed(4)
    density = torch.linspace(0.3, 0.97, n)[:, None]
    drawn = torch.rand(n, len(units), generator=generator) < density
    return torch.cat([drawn[:2], all_and_none(len(units)), drawn, all_and_none(len(units))])


@pytest.mark.parametrize("memory", [2**24, 1])
@pytest.mark.parametrize(
    ("level", "ablation"), [("edge", "patch"), ("neuron", "zero"), ("edge", "mean-positional")]
)
def test_the_model_is_faithful_to_the_bit_and_nothing_is_not(
    level: Level, ablation: Ablation, memory: int
) -> None:
    bench = bench_of(toy(), pairs(n=5), ablation, memory=memory)
    units = scoring_of(bench, level).units
    assert len(list(bench.chunks())) == (1 if memory > 1 else 5)
    found = outcomes(bench, units.kept(chosen_of(units)))
    shares = Ends.of(found[2:4]).faithfulness(found.metric)
    assert shares[[2, 10]].tolist() == [1.0, 1.0]
    assert shares[[3, 11]].tolist() == [0.0, 0.0]
    assert torch.equal(found.metric[:2], found.metric[4:6])
    assert len(set(shares.tolist())) == 8
    alone = outcomes(bench, units.kept(all_and_none(len(units))))
    torch.testing.assert_close(alone.metric, found.metric[2:4], **EXACT)
    assert found.kl[2].abs().max() < 1e-12
    assert (found.agreement[2] == 1).all()


@pytest.mark.parametrize("level", ["edge", "node", "neuron"])
def test_the_measures_are_torchs_of_the_slow_twins_logits(level: Level) -> None:
    answers = (2, 5)
    model = toy(normalization_type="LNPre")
    model.unembed.b_U.data.zero_()  # so that the answer follows the input
    everywhere = pairs(4, tuple(range(6)), answers)
    bench = bench_of(model, everywhere, metric="prob-diff")
    units = scoring_of(bench, level).units
    kept, (chunk,) = units.kept(chosen_of(units)), bench.chunks()
    found = outcomes(bench, kept)
    twin = Twin(chunk.decoder, chunk.base, chunk.source, answers)
    logits, clean = slow_logits(twin, units.table, kept), chunk.base.logits
    for variant, own in enumerate(logits):
        for pair in range(4):
            kl = F.kl_div(
                own[pair].log_softmax(-1),
                clean[pair].log_softmax(-1),
                reduction="batchmean",  # over answers, summed over the vocabulary
                log_target=True,
            )
            torch.testing.assert_close(found.kl[variant, pair], kl, **EXACT)
            same = [own[pair, i].argmax() == clean[pair, i].argmax() for i in range(2)]
            assert found.agreement[variant, pair] == sum(same) / 2
            p = own[pair].softmax(-1)
            given = chunk.judged.pairs
            each = [p[i, given.right[pair, i, 0]] - p[i, given.wrong[pair, i, 0]] for i in (0, 1)]
            torch.testing.assert_close(found.metric[variant, pair], sum(each) / 2, **EXACT)
    assert 0 < found.agreement.mean() < 1


def test_variants_that_are_the_same_are_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_of(toy(), pairs())
    units, ran = scoring_of(bench).units, list[int]()
    judged = of_outcomes._judged

    def counted(chunk: Chunk, kept: Kept, batch: slice) -> Tensor:
        ran.append(len(kept[batch]))
        return judged(chunk, kept, batch)

    monkeypatch.setattr(of_outcomes, "_judged", counted)
    kept = units.kept(chosen_of(units))
    told: list[int] = []
    outcomes(bench, kept, told.append)
    assert sum(ran) == 8
    assert sum(told) == 8 * N_PAIRS
    anything = kept.edges | ~bench.table.exists[..., None]  # where there is no edge
    both = outcomes(bench, Kept.joined([kept, Kept(anything)]))
    assert sum(ran) == 2 * 8
    assert torch.equal(both.metric[: len(kept)], both.metric[len(kept) :])


def test_a_part_of_the_pairs_has_their_outcomes_at_their_places() -> None:
    given = pairs(n=7)
    whole = bench_of(toy(), given)
    units = scoring_of(whole).units
    kept = units.kept(chosen_of(units))
    expected = outcomes(whole, kept)
    sides = divided(whole.groups, 0.4, seed=1)
    assert sorted(torch.cat(sides).tolist()) == list(range(7))
    assert [len(side) for side in sides] == [4, 3]
    for memory in (2**24, 1):
        for chosen in sides:
            found = outcomes(part_of(whole, chosen, memory), kept)
            torch.testing.assert_close(found.metric, expected.metric[:, chosen], **EXACT)
            torch.testing.assert_close(found.kl, expected.kl[:, chosen], **EXACT)


def part_of(bench: Bench, chosen: Tensor, memory: int) -> Bench:
    return Bench(bench.material, chosen, bench.ablation, type(bench.budget)(memory))


def test_no_share_is_taken_of_a_gap_that_is_rounding() -> None:
    full = torch.tensor([2.0, -2.0, 1.0], dtype=torch.float64)
    assert not Ends(full, full + 1e-9).is_defined
    assert Ends(full, full + 1e-9).faithfulness(full[None]).isnan().all()
    balanced = Ends(full, torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64))
    assert not balanced.is_defined  # 1 and -1 cancel


def curve(signed: Any, absolute: Any, fractions: tuple[float, ...] = FRACTIONS) -> Curve:
    n = len(fractions)
    return Curve(fractions, tuple(range(n)), torch.tensor(signed), torch.tensor(absolute))


def test_areas_by_hand() -> None:
    """Between 0, 1/2 and 1 trapezoids of (0 + 2) / 4 and (2 + 1) / 4; distances 1, 1 and 0."""
    by_hand = curve([0.0, 2.0, 1.0], [0.0, 2.0, 1.0], (0.0, 0.5, 1.0))
    assert by_hand.cpr == pytest.approx(0.5 + 0.75, abs=1e-15)
    assert by_hand.cmd == pytest.approx(0.5 + 0.25, abs=1e-15)


def test_areas_of_rankings_that_find_all_or_nothing() -> None:
    """At MIB's fractions: from 0.001 to 0.5 nothing, then a straight line to all."""
    late, early = [0.0] * 9 + [1.0], [1.0] * 10
    assert curve(early, late).cmd == pytest.approx(0.499 + 0.25, abs=1e-12)
    assert round(curve(early, late).cmd, 2) == 0.75
    assert curve(early, late).cpr == pytest.approx(0.999, abs=1e-12)
    assert curve(late, early).cmd == 0
    assert curve(late, early).cpr == pytest.approx(0.25, abs=1e-12)
