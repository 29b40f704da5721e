"""ACDC, and exact patching beside it: against one edge after another, and on circuits by hand."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mitool.analysis.circuits.faithfulness import Ends
from mitool.analysis.circuits.methods import METHODS
from mitool.analysis.circuits.methods.acdc import DEFAULT_SHARE, acdc, threshold_of
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.outcomes import all_and_none, outcomes
from mitool.analysis.statistics import auroc
from mitool.models.transformer import ToyTransformer, TransformerConfig, with_weights
from mitool.pairs.prompt_pairs import PromptPairs
from mitool.planted import NAMES, plant
from mitool.settings import Ablation, MetricName
from tests.analysis.circuits.benches import bench_of, scoring_of
from tests.analysis.interventions.models import pairs, pretrained, toy
from tests.analysis.interventions.twin import Twin

EXACT = {"rtol": 0.0, "atol": 1e-10}

KINDS: dict[str, Any] = {
    "toy": lambda: toy(),
    "GPTNeoX": lambda: pretrained("GPTNeoX", num_attention_heads=2, intermediate_size=32),
    "Llama": lambda: pretrained("Llama", num_attention_heads=2, num_key_value_heads=1),
}


def one_after_another(scoring: Scoring, threshold: float) -> Tensor:
    """From the logits back, by a whole run of the twin for each edge of each column."""
    (chunk,) = scoring.bench.chunks()
    twin = Twin(chunk.decoder, chunk.base, chunk.source, chunk.positions)
    judged, names, away = chunk.judged, scoring.units.names, set[str]()
    columns = chunk.column_of

    def metric() -> float:
        def is_kept(writer: str, reader: str) -> Tensor:
            edge = f"{writer}->{reader}"
            if columns is None:
                return torch.tensor([[edge not in away]])
            return torch.tensor([[f"{edge}@p{column}" not in away] for column in columns.tolist()])

        logits = twin.logits(is_kept)
        return scoring.sign * judged.metric(logits[None], judged.pairs, judged.clean).mean().item()

    now, scores = metric(), dict[str, float]()
    for name in reversed(names):
        away.add(name)
        then = metric()
        scores[name] = now - then
        if now - then >= threshold:
            away.remove(name)
        else:
            now = then
    return torch.tensor([scores[name] for name in names], dtype=torch.float64)


def require_the_same(scoring: Scoring) -> int:
    """Returns how many edges are kept."""
    told: list[int] = []
    scoring, threshold = replace(scoring, done=told.append), threshold_of(scoring)
    found, expected = acdc(scoring), one_after_another(scoring, threshold)
    torch.testing.assert_close(found, expected, **EXACT)
    kept = found >= threshold
    assert torch.equal(kept, expected >= threshold)
    assert sum(told) == len(scoring.units)
    return int(kept.sum())


@pytest.mark.parametrize("kind", ["toy", "GPTNeoX"])
def test_an_edge_is_tried_after_all_that_its_reader_writes_to(kind: str) -> None:
    names, tried = scoring_of(bench_of(KINDS[kind](), pairs(n=1))).units.names, set[str]()
    for name in reversed(names):
        reader = name.partition("->")[2].partition("<")[0]
        assert {other for other in names if other.startswith(f"{reader}->")} <= tried
        tried.add(name)


@pytest.mark.usefixtures("exact_norms")
@pytest.mark.parametrize("kind", KINDS)
def test_runs_made_ahead_are_those_of_one_after_another(kind: str) -> None:
    bench = bench_of(KINDS[kind](), pairs(n=2))
    n_kept = [
        require_the_same(scoring_of(bench, threshold=share * 0.1)) for share in (0.001, 0.03, 0.5)
    ]
    assert n_kept[0] > n_kept[1] > n_kept[2]


@pytest.mark.parametrize(
    ("metric", "ablation", "sign"),
    [("kl", "patch", -1), ("kl", "zero", -1), ("logit-diff", "mean", -1), ("log-prob", "zero", 1)],
)
def test_metrics_that_grow_or_fall(metric: MetricName, ablation: Ablation, sign: int) -> None:
    bench = bench_of(toy(), pairs(n=2), ablation, metric=metric)
    threshold = 0.0002 if ablation == "patch" else 0.002
    assert 2 < require_the_same(scoring_of(bench, sign=sign, threshold=threshold)) < 40


def test_edges_at_each_position() -> None:
    bench = bench_of(toy(n_layers=1), pairs(n=2), by_position=True)
    assert 2 < require_the_same(scoring_of(bench, threshold=0.001)) < 40


def by_hand() -> tuple[ToyTransformer, PromptPairs]:
    """A token t = 0 or 1 is its embedding's first number. Heads look evenly at all they see.

    L0H1 copies that to the second number, L1H0 from there to the third, which is the logit of 1;
    the first number adds an eighth to it. All else writes to the fourth, which nobody reads.
    With tokens t, u the logit of 1 is 1/2 (t + 1/2 (t + u)) + 1/8 u = 3/4 t + 3/8 u.
    """
    sizes = {"n_layers": 2, "n_heads": 2, "d_model": 4, "d_head": 1, "d_mlp": 1}
    words = {"d_vocab": 2, "d_vocab_out": 2, "n_ctx": 2}
    cfg = TransformerConfig(attn_only=True, normalization_type="none", **sizes, **words)
    weights = {name: torch.zeros_like(w) for name, w in ToyTransformer(cfg).state_dict().items()}
    weights["embed.W_E"][1, 0] = 1.0
    moved = {(0, 0): (0, 3), (0, 1): (0, 1), (1, 0): (1, 2), (1, 1): (0, 3)}
    for (layer, head), (source, target) in moved.items():
        weights[f"blocks.{layer}.attn.W_V"][head, source, 0] = 1.0
        weights[f"blocks.{layer}.attn.W_O"][head, 0, target] = 1.0
    weights["unembed.W_U"][:, 1] = torch.tensor([1 / 8, 0.0, 1.0, 0.0])
    model = with_weights(cfg, weights).double()
    clean, right = torch.ones(1, 2, dtype=torch.int64), torch.ones(1, 1, 1, dtype=torch.int64)
    return model, PromptPairs(clean, 1 - clean, (1,), right, 1 - right, torch.arange(1))


CHAIN = ["input->L0H1<v>", "L0H1->L1H0<v>", "L1H0->logits"]


def test_a_chain_of_two_heads_by_hand() -> None:
    model, given = by_hand()
    bench = bench_of(model, given)
    units = scoring_of(bench).units
    ends = Ends.of(outcomes(bench, units.kept(all_and_none(len(units)))))
    assert ends.full.tolist() == [1.125]
    assert ends.empty.tolist() == [0.0]
    for method in ("exact", "acdc", "eap", "eap-ig", "eap-ig-activations", "clean-corrupted"):
        scoring = scoring_of(bench, gap=1.125, threshold=0.1)
        scores = METHODS[method].score(scoring).tolist()
        found = {name: score for name, score in zip(units.names, scores, strict=True) if score}
        assert found == {**dict.fromkeys(CHAIN, 1.0), "input->logits": 0.125}, method
    circuit = units.circuit(acdc(scoring_of(bench, threshold=0.5)) >= 0.5)
    assert [str(edge) for edge in circuit.listed] == CHAIN
    alone = outcomes(bench, circuit.kept)
    assert alone.metric.tolist() == [[1.0]]
    assert ends.faithfulness(alone.metric).item() == pytest.approx(1 / 1.125, abs=1e-15)


def test_the_threshold_is_a_share_of_the_gap_unless_it_is_given() -> None:
    bench = bench_of(toy(), pairs(n=1))
    assert threshold_of(scoring_of(bench, gap=5.0)) == DEFAULT_SHARE * 5.0
    assert threshold_of(scoring_of(bench, gap=5.0, threshold=0.0)) == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_the_circuits_of_planted_models(name: str) -> None:
    """Their docstrings say that of two backups neither is missed alone: there exact patching has
    nothing to see before the MLP, and ACDC, which takes one away, keeps the other.
    """
    planted = plant(name)
    bench = bench_of(planted.model, planted.pairs[:24], memory=2**26)
    units = scoring_of(bench).units
    true = torch.tensor([unit in planted.truth for unit in units.names])
    assert int(true.sum()) == len(planted.truth)
    ends = Ends.of(outcomes(bench, units.kept(all_and_none(len(units)))))
    scoring = scoring_of(bench, gap=ends.gap.mean().item())
    shares = METHODS["exact"].score(scoring) / scoring.gap
    kept = acdc(scoring) >= threshold_of(scoring)
    assert shares[~true].abs().max() < 1e-4
    if planted.alternatives:
        assert shares[true].abs().sort().values[:-1].max() < 1e-4
        found = {unit for unit, is_in in zip(units.names, kept, strict=True) if is_in}
        assert found == {"input->L0H0<v>", "L0H0->MLP1", "MLP1->logits"}
    else:
        assert shares[true].min() > 0.1
        assert auroc(shares, true) == 1.0
        assert torch.equal(kept, true)
    left = outcomes(bench, units.circuit(kept).kept)
    assert ends.faithfulness(left.metric).item() == pytest.approx(1.0, abs=1e-3)
