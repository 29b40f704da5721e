"""The list tasks: their layouts, and that a short run learns each."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.config import build
from mitool.device import resolve
from mitool.errors import UsageError
from mitool.settings import TrainingSettings
from mitool.tasks import Task
from mitool.tasks.index_array import IndexArray
from mitool.tasks.majority import Majority
from mitool.tasks.permute import Permute
from mitool.tasks.previous_token import PreviousToken
from mitool.tasks.sort import Sort
from mitool.training import RunConfig, train

TASKS: list[Task] = [
    Sort(),
    Sort(length=1, max_value=1),
    Majority(),
    Majority(length=5, max_value=2),
    Permute(),
    Permute(length=5, max_value=4),
    IndexArray(),
    IndexArray(length=1, max_value=1),
    PreviousToken(),
    PreviousToken(length=3, max_value=1),
]


def rows(task: Task, n: int = 200) -> list[tuple[list[str], list[str]]]:
    """Examples as the labels of their tokens, and of their answers."""
    examples = task.sample(n, torch.Generator().manual_seed(0))
    label = task.vocabulary.__getitem__
    return [
        (list(map(label, tokens)), list(map(label, targets)))
        for tokens, targets in zip(examples.tokens.tolist(), examples.targets.tolist(), strict=True)
    ]


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_samples_fit_the_sizes_that_the_task_gives(task: Task) -> None:
    examples = task.sample(50, torch.Generator().manual_seed(1))
    assert examples.tokens.shape == (50, task.n_ctx)
    assert examples.targets.shape == (50, len(task.answer_positions))
    assert 0 <= examples.tokens.min() <= examples.tokens.max() < task.d_vocab
    assert 0 <= examples.targets.min() <= examples.targets.max() < task.d_vocab_out
    again = task.sample(50, torch.Generator().manual_seed(1))
    assert torch.equal(examples.tokens, again.tokens)
    pairs = task.pairs(20, torch.Generator().manual_seed(2))
    assert pairs.clean.tokens.shape == pairs.corrupted.tokens.shape
    assert (pairs.clean.targets != pairs.corrupted.targets).any(dim=-1).all()


@pytest.mark.parametrize(
    "task", [t for t in TASKS if isinstance(t, Sort | Permute | IndexArray)], ids=repr
)
def test_answers_are_the_tokens_that_follow_their_positions(task: Task) -> None:
    examples = task.sample(50, torch.Generator().manual_seed(1))
    following = [position + 1 for position in task.answer_positions]
    assert torch.equal(examples.tokens[:, following], examples.targets)


def test_sort() -> None:
    for tokens, answers in rows(Sort()):
        assert (tokens[0], tokens[11]) == ("BOS", "MID")
        assert answers == sorted(tokens[1:11], key=int)
        assert tokens[12:] == answers
    assert (Sort().vocabulary.index("BOS"), Sort().vocabulary.index("MID")) == (50, 51)


def test_majority() -> None:
    counts = Counter()  # type: Counter[int]
    for tokens, (answer,) in rows(Majority(), 2000):
        assert (tokens[0], tokens[11]) == ("BOS", "END")
        count = tokens[1:11].count(answer)
        assert count > 5
        counts[count] += 1
    assert all(300 < counts[count] < 500 for count in range(6, 11))
    assert (Majority().vocabulary.index("END"), Majority().vocabulary.index("BOS")) == (50, 51)


def test_permute() -> None:
    seen = set()
    for tokens, answers in rows(Permute()):
        assert (tokens[0], tokens[4], tokens[8]) == ("BOS", "MID", "END")
        values, indices = tokens[1:4], [int(index) for index in tokens[5:8]]
        assert sorted(indices) == [0, 1, 2]
        assert answers == [values[index] for index in indices]
        seen.add(tuple(indices))
    assert len(seen) == 6
    assert [Permute().vocabulary.index(name) for name in ("END", "MID", "BOS")] == [50, 51, 52]


def test_index_array() -> None:
    for tokens, answers in rows(IndexArray()):
        assert (tokens[0], tokens[4], tokens[7]) == ("BOS", "NL", "NL")
        replaced = tokens[1:4]
        replaced[int(tokens[5])] = tokens[6]
        assert answers == replaced
        assert tokens[8:] == replaced
    assert IndexArray().vocabulary.index("BOS") == 50


def test_previous_token() -> None:
    for tokens, answers in rows(PreviousToken()):
        assert tokens[0] == "BOS"
        assert answers == tokens[:-1]
    assert PreviousToken().vocabulary.index("BOS") == 100
    assert PreviousToken.model.positional == "zero"


@pytest.mark.parametrize("cls", [Permute, IndexArray])
def test_every_index_is_a_value(cls: type[Task]) -> None:
    with pytest.raises(UsageError, match=r"at least length - 1 = 6, .* found 5"):
        build(cls, {"length": 7, "max_value": 5})


SHORT: list[tuple[Task, dict[str, Any], float]] = [
    (Sort(length=4, max_value=9), {"epochs": 300}, 0.97),
    (Majority(length=6, max_value=9), {"epochs": 150}, 0.97),
    (Permute(length=2, max_value=4), {"epochs": 600}, 0.97),
    (IndexArray(length=2, max_value=4), {"epochs": 400}, 0.97),
    (PreviousToken(length=3, max_value=9), {"epochs": 300}, 0.9),
]


@pytest.mark.parametrize(("task", "settings", "least"), SHORT, ids=lambda value: str(value)[:20])
def test_a_short_run_learns(
    tmp_path: Path, task: Task, settings: dict[str, Any], least: float
) -> None:
    training: TrainingSettings = replace(
        task.training, batch_size=128, eval_every=100, eval_size=512, **settings
    )
    model = replace(task.model, d_model=64)
    claims = train(RunConfig(task, model, training, resolve("cpu", threads=1)), tmp_path).claims
    assert isinstance(claims["test_accuracy"], float)
    assert claims["test_accuracy"] >= least
