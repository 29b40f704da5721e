"""Repeated subsequences."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mitool.core.config import build
from mitool.core.device import resolve
from mitool.core.errors import UsageError
from mitool.models.subject import load
from mitool.tasks import NO_ANSWER
from mitool.tasks.induction import LIST_SEED, Induction
from mitool.training import RunConfig, train
from tests.tasks.labelled import rows


def test_answers_are_what_follows_in_the_second_and_third_time() -> None:
    task = Induction(shortest=16)
    for tokens, answers in rows(task, 50):
        assert tokens[0] == "BOS"
        told = [p + 1 for p, a in zip(task.answer_positions, answers, strict=True) if a]
        assert [tokens[p] for p in told] == [a for a in answers if a]
        second, third = told[:15], told[15:]
        assert second == list(range(second[0], second[0] + 15))
        assert third == list(range(third[0], third[0] + 15))
        subsequence = tokens[second[0] - 1 : second[-1] + 1]
        assert len(set(subsequence)) == 16
        assert tokens[third[0] - 1 : third[-1] + 1] == subsequence
        text = " ".join(tokens[: second[0] - 1])
        assert " ".join(subsequence) in text


def test_lengths_are_drawn_evenly() -> None:
    task = Induction(length=20, subsequence=5, shortest=3, times=2)
    examples = task.sample(9000, torch.Generator().manual_seed(0))
    lengths = Counter((examples.targets != NO_ANSWER).sum(dim=-1).tolist())
    assert set(lengths) == {2, 3, 4}  # all of the second time but the first token
    assert all(2800 < count < 3200 for count in lengths.values())
    for tokens, answers in rows(task):
        told = [p + 1 for p, a in zip(task.answer_positions, answers, strict=True) if a]
        repeated = tokens[told[0] - 1 : told[-1] + 1]
        first = [tokens[i : i + len(repeated)] for i in range(1, told[0] - 1)]
        assert repeated in first


def test_every_arrangement_is_as_likely() -> None:
    # two of "ab" among three other tokens: 5 choose 2 = 10 arrangements
    task = Induction(length=7, max_value=9, subsequence=2, times=2)
    lengths = torch.full((20_000, 1), 2)
    starts = task._starts(lengths, torch.Generator().manual_seed(0))
    counts = Counter(map(tuple, starts.tolist()))
    assert len(counts) == 10
    assert all(1800 < count < 2200 for count in counts.values())
    assert all(b - a >= 2 for a, b in counts)
    assert max(b for _, b in counts) == 5


def test_no_sequence_of_a_list_is_there_twice() -> None:
    """Else the same one trains and is tested on."""
    small = Induction(length=4, max_value=3, subsequence=2, times=2, sequences=12)
    assert small.sample(12, torch.Generator().manual_seed(0)).tokens.unique(dim=0).shape[0] < 12
    tokens = small.examples().tokens
    assert len(tokens) == len(tokens.unique(dim=0)) == 12  # of 4 x 3 there are
    usual = Induction(length=12, max_value=15, subsequence=4, sequences=64)
    drawn = usual.sample(64, torch.Generator().manual_seed(LIST_SEED))
    assert torch.equal(usual.examples().tokens, drawn.tokens)
    with pytest.raises(UsageError, match="found 13, of which 12 were drawn"):
        Induction(length=4, max_value=3, subsequence=2, times=2, sequences=13).examples()


def test_a_finite_list_is_the_same_in_every_run_and_is_divided() -> None:
    task = Induction(sequences=512)
    first, again = task.examples(), task.examples()
    assert torch.equal(first.tokens, again.tokens)
    assert (task.n_examples, len(first)) == (512, 512)
    split = task.split(0)
    assert split is not None
    assert [len(part) for part in split.indices(512)] == [256, 256]
    assert Induction().split(0) is None
    assert Induction().n_examples is None


def test_pairs_change_one_token_of_the_subsequence_each_time() -> None:
    task = Induction(times=4)
    pairs = task.pairs(50, torch.Generator().manual_seed(0))
    changed = pairs.clean.tokens != pairs.corrupted.tokens
    assert changed.sum(dim=-1).tolist() == [4] * 50
    assert pairs.differ.sum(dim=-1).tolist() == [3] * 50
    assert torch.equal(pairs.clean.targets == NO_ANSWER, pairs.corrupted.targets == NO_ANSWER)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"at least subsequence \* times = 48, found 40"):
        build(Induction, {"length": 40})
    with pytest.raises(UsageError, match="at most max_value = 5, .* found 6"):
        build(Induction, {"max_value": 5, "subsequence": 6})
    with pytest.raises(UsageError, match="at most subsequence = 3, found 4"):
        build(Induction, {"subsequence": 3, "shortest": 4})


def test_a_finite_list_is_trained_on_in_batches(tmp_path: Path) -> None:
    task = Induction(length=12, max_value=15, subsequence=4, sequences=64)
    training = replace(task.training, epochs=3, batch_size=8)
    model = replace(task.model, d_model=16, d_head=4)
    result = train(RunConfig(task, model, training, resolve("cpu", threads=1)), tmp_path / "run")
    assert load(tmp_path / "run").metadata.split == {
        "method": "torch",
        "frac_train": 0.5,
        "seed": 0,
    }
    assert load(tmp_path / "run").metadata.step == 3 * 4
    losses = result.history[-1].test_position_losses
    assert len(losses) == len(task.answer_positions)
