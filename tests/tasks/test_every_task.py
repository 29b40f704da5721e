"""What holds for every task: sizes, counterfactual pairs, the metric, and that it is learned."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from mitool import tasks
from mitool.core.device import resolve
from mitool.settings import TrainingSettings
from mitool.tasks import NO_ANSWER, Task
from mitool.tasks.digits import Digits
from mitool.tasks.gate import Gate
from mitool.tasks.greater_than import GreaterThan
from mitool.tasks.index_array import IndexArray
from mitool.tasks.induction import Induction
from mitool.tasks.majority import Majority
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd
from mitool.tasks.permute import Permute
from mitool.tasks.previous_token import PreviousToken
from mitool.tasks.skip_trigram import SkipTrigram
from mitool.tasks.sort import Sort
from mitool.training import RunConfig, train

TASKS: list[Task] = [
    *(tasks.get(name)() for name in tasks.names()),
    ModAdd(p=6, op="multiply"),
    ModAdd(p=2),
    Min(k=1, max_value=3),
    Min(k=3, max_value=2, op="max"),
    Sort(length=1, max_value=1),
    Majority(length=5, max_value=2),
    Permute(length=5, max_value=4),
    IndexArray(length=1, max_value=1),
    PreviousToken(length=3, max_value=1),
    Digits(digits=1),
    Digits(digits=17, operators=False),
    Digits(digits=2, reverse_sum=True),
    Induction(length=12, max_value=9, subsequence=4),
    Induction(length=6, max_value=3, subsequence=3, times=2, sequences=8),
    SkipTrigram(groups=2, size=2, length=1),
    GreaterThan(nouns=1),
    Gate(bits=1, op="and"),
    Gate(bits=10, op="or"),
]


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_samples_fit_the_sizes_that_the_task_gives(task: Task) -> None:
    examples = task.sample(50, torch.Generator().manual_seed(1))
    n_answers = len(task.answer_positions)
    assert examples.tokens.shape == (50, task.n_ctx)
    assert examples.targets.shape == (50, n_answers)
    assert 0 <= examples.tokens.min() <= examples.tokens.max() < task.d_vocab
    assert examples.targets.max() < task.d_vocab_out <= task.d_vocab
    answers = examples.targets[examples.targets != NO_ANSWER]
    assert len(answers) >= 50
    assert answers.min() >= 0
    assert len(task.answer_labels) == n_answers == len(set(task.answer_labels))
    assert set(task.answer_positions) | set(task.operand_positions) <= set(range(task.n_ctx))
    again = task.sample(50, torch.Generator().manual_seed(1))
    assert torch.equal(examples.tokens, again.tokens)
    assert torch.equal(examples.targets, again.targets)


@pytest.mark.parametrize("task", [t for t in TASKS if t.copies_operand], ids=repr)
def test_copied_answers_are_among_the_operands(task: Task) -> None:
    examples = task.sample(50, torch.Generator().manual_seed(1))
    operands = examples.tokens[:, list(task.operand_positions)]
    assert (operands[:, None] == examples.targets[:, :, None]).any(dim=-1).all()


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_pairs_are_of_equal_length_and_the_metric_tells_them_apart(task: Task) -> None:
    pairs = task.pairs(40, torch.Generator().manual_seed(2))
    assert pairs.clean.tokens.shape == pairs.corrupted.tokens.shape == (40, task.n_ctx)
    assert (pairs.clean.tokens != pairs.corrupted.tokens).any(dim=-1).all()
    assert pairs.differ.any(dim=-1).all()
    sure = [
        10.0 * F.one_hot(side.targets.clamp(min=0), task.d_vocab_out)
        for side in (pairs.clean, pairs.corrupted)
    ]
    unsure = torch.zeros_like(sure[0]).requires_grad_()
    clean, corrupted, none = (task.metric(logits, pairs) for logits in (*sure, unsure))
    assert clean.shape == (40,)
    assert (clean > corrupted).float().mean() > 0.3  # years after both YYs are as good
    assert (clean > 0).all()
    none.sum().backward()
    assert unsure.grad is not None
    assert unsure.grad.flatten(1).any(dim=-1).all()


@pytest.mark.parametrize(
    "task",
    [
        *(Sort(), Permute(), IndexArray(), PreviousToken(), Min(), ModAdd(), Digits()),
        *(SkipTrigram(), Gate(), Gate(bits=2, op="and")),
    ],
    ids=repr,
)
def test_a_corrupted_example_is_the_clean_one_but_for_one_given_token(task: Task) -> None:
    pairs = task.pairs(40, torch.Generator().manual_seed(3))
    given = task.answer_positions[0] + 1 if len(task.answer_positions) > 1 else task.n_ctx
    if isinstance(task, PreviousToken):
        given = task.n_ctx
    changed = (pairs.clean.tokens != pairs.corrupted.tokens)[:, :given]
    assert changed.sum(dim=-1).tolist() == [1] * 40


def test_the_logit_difference_is_the_mean_over_answers_that_differ() -> None:
    task = Permute(length=2, max_value=1)
    pairs = task.pairs(1, torch.Generator().manual_seed(0))
    differ = pairs.differ[0].tolist()
    assert sum(differ) == 1  # one of two values was changed
    place = differ.index(True)
    logits = torch.tensor([[[1.0, 4.0], [1.0, 4.0]]])
    expected = 3.0 if pairs.clean.targets[0, place] == 1 else -3.0
    assert task.metric(logits, pairs).tolist() == [expected]


SHORT: list[tuple[Task, dict[str, Any], float]] = [
    (Sort(length=4, max_value=9), {"epochs": 300}, 0.97),
    (Majority(length=6, max_value=9), {"epochs": 150}, 0.97),
    (Permute(length=2, max_value=4), {"epochs": 600}, 0.97),
    (IndexArray(length=2, max_value=4), {"epochs": 400}, 0.97),
    (PreviousToken(length=3, max_value=9), {"epochs": 300}, 0.9),
    (Digits(digits=1), {"epochs": 300, "lr": 1e-3}, 0.97),
    (Digits(digits=1, operators=False, reverse_sum=True), {"epochs": 300, "lr": 1e-3}, 0.97),
    (
        Induction(length=20, max_value=63, subsequence=6, shortest=6),
        {"epochs": 200, "lr": 1e-2, "weight_decay": 0.01},
        0.97,
    ),
    (SkipTrigram(groups=3, size=3, length=4), {"epochs": 200}, 0.97),
    (GreaterThan(nouns=3), {"epochs": 150}, 0.97),
    (Gate(bits=3, op="or", frac_train=0.8), {"epochs": 150}, 0.9),
]


@pytest.mark.parametrize(("task", "settings", "least"), SHORT, ids=lambda value: str(value)[:20])
def test_a_short_run_learns(
    tmp_path: Path, task: Task, settings: dict[str, Any], least: float
) -> None:
    training: TrainingSettings = replace(
        task.training,
        batch_size=128,
        eval_every=20,
        eval_size=512,
        stop_test_loss=0.03,
        **settings,
    )
    model = replace(task.model, d_model=64)
    claims = train(RunConfig(task, model, training, resolve("cpu", threads=1)), tmp_path).claims
    assert isinstance(claims["test_accuracy"], float)
    assert claims["test_accuracy"] >= least
