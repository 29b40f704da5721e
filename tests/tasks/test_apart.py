"""Pairs of a task that share no input."""

import pytest
import torch

from mitool.tasks import Pairs, Task
from mitool.tasks.apart import pairs_apart
from mitool.tasks.gate import Gate
from mitool.tasks.greater_than import GreaterThan
from mitool.tasks.majority import Majority
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd


def drawn(task: Task, n: int, seed: int = 0) -> Pairs:
    return pairs_apart(task, n, torch.Generator().manual_seed(seed))


def inputs_of(pairs: Pairs) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    clean, corrupted = (
        list(map(tuple, side.tokens.tolist())) for side in (pairs.clean, pairs.corrupted)
    )
    return clean, corrupted


@pytest.mark.parametrize(
    ("task", "n"),
    [(ModAdd(p=113), 256), (ModAdd(p=29), 256), (Min(max_value=199), 256), (Majority(), 64)],
    ids=repr,
)
def test_pairs_share_no_input_where_there_are_enough(task: Task, n: int) -> None:
    pairs = drawn(task, n)
    clean, corrupted = inputs_of(pairs)
    assert len(set(clean) | set(corrupted)) == 2 * n
    assert pairs.differ.any(dim=-1).all()
    again = drawn(task, n)
    assert torch.equal(again.clean.tokens, pairs.clean.tokens)
    assert not torch.equal(drawn(task, n, seed=1).clean.tokens, pairs.clean.tokens)


@pytest.mark.parametrize(
    ("task", "least"),
    [(ModAdd(p=7), 20), (ModAdd(p=2), 1), (Gate(bits=1, op="and"), 1), (Min(max_value=4), 8)],
    ids=repr,
)
def test_a_small_task_gives_as_many_as_it_has_inputs_for(task: Task, least: int) -> None:
    """Not one tangle of all its inputs: every clean input once, and never as a corrupted one."""
    pairs = drawn(task, 256)
    clean, corrupted = inputs_of(pairs)
    assert task.n_examples is not None
    assert least <= len(set(corrupted)) <= len(clean) == len(set(clean)) < 256
    assert len(set(clean)) + len(set(corrupted)) <= task.n_examples
    assert not set(clean) & set(corrupted)
    assert pairs.differ.any(dim=-1).all()


def test_where_corrupted_inputs_are_few_they_are_shared_last() -> None:
    """Greater-than has seven centuries of each noun, whose year 01 is the corrupted input."""
    pairs = drawn(GreaterThan(nouns=4), 60)
    clean, corrupted = inputs_of(pairs)
    assert len(set(corrupted[:28])) == 28
    assert len(set(corrupted)) == 28
    assert len(set(clean)) == 60


@pytest.mark.parametrize("n", [1, 5])
def test_without_a_shared_input_the_draw_is_the_tasks_own(n: int) -> None:
    task = ModAdd(p=113)
    own = task.pairs(n, torch.Generator().manual_seed(4))
    found = drawn(task, n, seed=4)
    for side in ("clean", "corrupted"):
        for part in ("tokens", "targets"):
            assert torch.equal(
                getattr(getattr(found, side), part), getattr(getattr(own, side), part)
            )
