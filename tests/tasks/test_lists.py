"""The list tasks: their layouts."""

from collections import Counter

import pytest
import torch

from mitool.core.config import build
from mitool.core.errors import UsageError
from mitool.tasks import Task
from mitool.tasks.digits import Digits
from mitool.tasks.index_array import IndexArray
from mitool.tasks.majority import Majority
from mitool.tasks.permute import Permute
from mitool.tasks.previous_token import PreviousToken
from mitool.tasks.sort import Sort
from tests.tasks.labelled import rows


@pytest.mark.parametrize(
    "task",
    [
        Sort(),
        Sort(length=1, max_value=1),
        Permute(),
        Permute(length=5, max_value=4),
        IndexArray(),
        IndexArray(length=1, max_value=1),
        Digits(),
        Digits(digits=2, operators=False, reverse_sum=True),
    ],
    ids=repr,
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
