"""n-digit addition in its layouts."""

import pytest

from mitool.tasks.digits import Digits
from tests.tasks.labelled import rows


@pytest.mark.parametrize("digits", [1, 3, 17])
@pytest.mark.parametrize("reverse_sum", [False, True])
@pytest.mark.parametrize("operators", [False, True])
def test_layouts(digits: int, reverse_sum: bool, operators: bool) -> None:
    task = Digits(digits=digits, operators=operators, reverse_sum=reverse_sum)
    for tokens, answers in rows(task):
        total = "".join(tokens[-(digits + 1) :])
        if operators:
            x, rest = "".join(tokens).split("+")
            y, shown = rest.split("=")
            assert shown == total
        else:
            x, y = "".join(tokens[:digits]), "".join(tokens[digits : 2 * digits])
        assert len(x) == len(y) == digits
        assert int(total[::-1] if reverse_sum else total) == int(x) + int(y)
        assert answers == list(total)


def test_the_published_sizes() -> None:
    task = Digits()
    assert (task.d_vocab, task.n_ctx, task.answer_positions) == (12, 18, tuple(range(11, 17)))
    assert (task.vocabulary[10], task.vocabulary[11]) == ("+", "=")
    mingpt = Digits(digits=2, operators=False)
    assert (mingpt.d_vocab, mingpt.answer_positions) == (10, (3, 4, 5))


def test_answers_are_named_by_their_place_value() -> None:
    names = ("the sum's 10^2", "the sum's 10^1", "the sum's 10^0")
    assert Digits(digits=2).answer_labels == names
    assert Digits(digits=2, reverse_sum=True).answer_labels == names[::-1]
