"""The toy form of the greater-than task."""

import math

import pytest
import torch

from mitool.tasks import Examples, Pairs
from mitool.tasks.greater_than import GreaterThan
from tests.tasks.labelled import labelled, rows


def test_the_layout_and_any_later_year() -> None:
    years = set()
    for (noun, century, year, again), (answer,) in rows(GreaterThan(), 5000):
        assert noun.startswith("noun")
        assert 11 <= int(century) <= 17
        assert again == century
        assert 2 <= int(year) < int(answer) <= 99
        years.add(int(year))
    assert years == set(range(2, 99))


def test_the_year_is_drawn_evenly() -> None:
    examples = GreaterThan().sample(50_000, torch.Generator().manual_seed(0))
    drawn = examples.targets[examples.tokens[:, 2] == 94]
    counts = [(drawn == year).double().mean().item() for year in range(95, 100)]
    assert counts == pytest.approx([0.2] * 5, abs=0.07)


def test_the_corrupted_span_starts_in_the_year_01() -> None:
    task = GreaterThan()
    pairs = task.pairs(50, torch.Generator().manual_seed(0))
    for (clean, _), (corrupted, _) in zip(
        labelled(task, pairs.clean), labelled(task, pairs.corrupted), strict=True
    ):
        assert corrupted == [*clean[:2], "01", clean[3]]


def test_the_metric_is_the_probability_difference() -> None:
    task = GreaterThan()
    tokens, answer = torch.tensor([[100, 17, 97, 17]]), torch.tensor([[98]])
    pairs = Pairs(Examples(tokens, answer), Examples(tokens, answer))
    logits = torch.full((1, 1, 100), -math.inf)
    logits[0, 0, [97, 98, 99]] = torch.tensor([0.5, 0.2, 0.3]).log()
    assert task.metric(logits, pairs).item() == pytest.approx(0.2 + 0.3 - 0.5, abs=1e-6)
    assert task.is_right(torch.tensor([[99]]), pairs.clean).tolist() == [[True]]
    assert task.is_right(torch.tensor([[97]]), pairs.clean).tolist() == [[False]]
