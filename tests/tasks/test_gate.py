"""Boolean gates."""

import operator

import pytest
import torch

from mitool.tasks.gate import Gate

GATES = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("bits", [1, 3])
def test_every_pair_of_numbers_is_listed_once_with_its_answer(bits: int, op: str) -> None:
    task, n = Gate(bits=bits, op=op), 2**bits
    examples = task.examples()
    rows = zip(examples.tokens.tolist(), examples.targets[:, 0].tolist(), strict=True)
    assert list(rows) == [([x, y, n], GATES[op](x, y)) for x in range(n) for y in range(n)]
    assert task.grid_shape == (n, n)
    assert len(examples) == task.n_examples


def test_one_bit_by_hand() -> None:
    answers = {op: Gate(bits=1, op=op).examples().targets[:, 0].tolist() for op in GATES}
    assert answers == {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}
    assert Gate(bits=1).vocabulary == ("0", "1", "=")


def test_samples_are_drawn_from_all_pairs() -> None:
    task = Gate(bits=2)
    drawn = task.sample(1000, torch.Generator().manual_seed(0))
    assert len(drawn.tokens.unique(dim=0)) == 16
