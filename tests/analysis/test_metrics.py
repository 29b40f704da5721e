"""Metrics on logits worked out by hand, and against torch's own."""

import pytest
import torch
import torch.nn.functional as F

from mitool.analysis.metrics import METRICS, metric_of
from mitool.pairs.prompt_pairs import PromptPairs, of_task
from mitool.settings import MetricName
from mitool.tasks import NO_ANSWER
from mitool.tasks.greater_than import GreaterThan
from mitool.tasks.majority import Majority
from mitool.tasks.permute import Permute

NONE = NO_ANSWER
LOGITS = torch.tensor([[[1.0, 2.0, 4.0, 0.0]], [[0.0] * 4]], dtype=torch.float64)[None]
"""One variant of two pairs with one answer of four."""

P = LOGITS[0, 0, 0].softmax(dim=-1).tolist()


def pairs(right: list[list[list[int]]], wrong: list[list[list[int]]]) -> PromptPairs:
    tokens = torch.zeros(len(right), 2, dtype=torch.int64)
    sets = torch.tensor(right), torch.tensor(wrong)
    return PromptPairs(tokens, tokens, tuple(range(len(right[0]))), *sets, torch.arange(len(right)))


ONE = pairs([[[2]], [[0]]], [[[0]], [[1]]])
SETS = pairs([[[2, 1]], [[0, NONE]]], [[[0, NONE]], [[1, 3]]])
LOW = pairs([[[1]], [[3]]], [[[0]], [[1]]])


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("logit-diff", ONE, [4.0 - 1.0, 0.0]),
        ("logit-diff", SETS, [(4.0 + 2.0) / 2 - 1.0, 0.0]),
        ("prob-diff", ONE, [P[2] - P[0], 0.0]),
        ("prob-diff", SETS, [P[2] + P[1] - P[0], 0.25 - 0.5]),
        ("greater-than", SETS, [P[2] + P[1] - P[0], 0.25 - 0.5]),
        ("accuracy", ONE, [1.0, 1.0]),
        ("accuracy", LOW, [0.0, 0.0]),
    ],
)
def test_by_hand(name: MetricName, given: PromptPairs, expected: list[float]) -> None:
    found = METRICS[name](LOGITS, given, LOGITS[0])
    torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float64))


def test_the_log_probability_is_that_of_all_right_answers() -> None:
    found = METRICS["log-prob"](LOGITS, SETS, LOGITS[0])
    expected = torch.tensor([[P[2] + P[1], 0.25]], dtype=torch.float64).log()
    torch.testing.assert_close(found, expected)


def test_kl_is_summed_over_the_vocabulary_and_0_for_the_clean_run() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, clean = (torch.randn(2, 3, 5, 7, generator=generator).double() for _ in range(2))
    found = METRICS["kl"](logits, ONE, clean[0])
    for variant in range(2):
        for pair in range(3):
            own, reference = (
                x.log_softmax(dim=-1) for x in (logits[variant, pair], clean[0, pair])
            )
            expected = F.kl_div(own, reference, reduction="sum", log_target=True) / 5
            torch.testing.assert_close(found[variant, pair], expected)
    torch.testing.assert_close(METRICS["kl"](clean[:1], ONE, clean[0]), torch.zeros(1, 3).double())


def test_positions_without_an_answer_count_for_nothing() -> None:
    two = pairs([[[2], [NONE]], [[0], [3]]], [[[0], [NONE]], [[1], [2]]])
    logits = torch.cat([LOGITS, LOGITS.flip(-1)], dim=2)
    found = METRICS["logit-diff"](logits, two, logits[0])
    torch.testing.assert_close(found, torch.tensor([[3.0, 0.0]]).double())
    for name in ("prob-diff", "log-prob", "accuracy"):
        one = METRICS[name](logits[:, :1, :1], pairs([[[2]]], [[[0]]]), logits[0])
        torch.testing.assert_close(METRICS[name](logits, two, logits[0])[:, :1], one)


@pytest.mark.parametrize("name", [name for name in METRICS if name != "accuracy"])
def test_metrics_have_finite_gradients_where_answers_are_missing(name: MetricName) -> None:
    two = pairs([[[2, NONE], [NONE, NONE]]], [[[0, 1], [NONE, NONE]]])
    logits = torch.randn(1, 1, 2, 4, dtype=torch.float64, requires_grad=True)
    METRICS[name](logits, two, logits[0].detach() + 1e-3).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_a_tasks_logit_difference_is_its_own_metric() -> None:
    for task in (Majority(), Permute(length=3)):
        drawn = of_task(task.pairs(30, torch.Generator().manual_seed(0)), task)
        logits = torch.randn(2, 30, len(task.answer_positions), task.d_vocab_out)
        own = metric_of(None, task)(logits, drawn, logits[0])
        torch.testing.assert_close(metric_of("logit-diff", None)(logits, drawn, logits[0]), own)


def test_of_greater_than_any_later_year_is_right() -> None:
    task = GreaterThan()
    drawn = of_task(task.pairs(50, torch.Generator().manual_seed(0)), task)
    for right, wrong, tokens in zip(drawn.right, drawn.wrong, drawn.clean, strict=True):
        year = int(tokens[2])
        assert set(right.flatten().tolist()) - {NONE} == set(range(year + 1, 100))
        # what is right after the year 01 and not after this one
        assert set(wrong.flatten().tolist()) - {NONE} == set(range(2, year + 1))
