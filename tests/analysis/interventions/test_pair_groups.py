"""Which pairs share an input, how they are divided, and what is said of few."""

import itertools

import pytest
import torch

from mitool.analysis.circuits.bench import divided
from mitool.analysis.interventions.evidence import few, only
from mitool.analysis.interventions.pair_groups import PairGroups, grouped
from mitool.pairs.prompt_pairs import PromptPairs

Rows = list[tuple[str, str]]


def part(rows: Rows, index: list[int], right: str = "") -> PromptPairs:
    """Pairs whose tokens are letters; the right answers are too."""
    clean, corrupted = (torch.tensor([list(map(ord, row[i])) for row in rows]) for i in (0, 1))
    answers = torch.tensor(list(map(ord, right or "a" * len(rows))))[:, None, None]
    return PromptPairs(clean, corrupted, (1,), answers, answers + 1, torch.tensor(index))


def groups_of(rows: Rows, names: list[str] | None = None, right: str = "") -> PairGroups:
    return grouped([part(rows, list(range(len(rows))), right)], names)


def sized(*sizes: int) -> PairGroups:
    """Groups of these sizes, their pairs scattered."""
    of = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    scattered = of[torch.randperm(len(of), generator=torch.Generator().manual_seed(0))]
    everything = PairGroups(scattered, torch.arange(len(of)))
    return everything[torch.arange(len(of))]


@pytest.mark.parametrize(
    ("rows", "groups", "n_distinct"),
    [
        ([("ab", "cd"), ("ef", "gh")], [0, 1], 2),
        ([("ab", "cd"), ("ef", "gh"), ("ab", "cd")], [0, 1, 0], 2),  # once more
        ([("ab", "cd"), ("cd", "ab")], [0, 0], 2),  # mirrored
        ([("ab", "cd"), ("ab", "ef")], [0, 0], 2),  # the same clean input
        ([("ab", "cd"), ("ef", "cd")], [0, 0], 2),  # the same corrupted one
        ([("ab", "cd"), ("cd", "ef")], [0, 0], 2),  # corrupted here and clean there
        ([("ab", "cd"), ("ef", "gh"), ("gh", "cd")], [0, 0, 0], 3),  # through a third
        ([("ab", "cd"), ("ba", "dc")], [0, 1], 2),
    ],
)
def test_pairs_that_share_an_input_are_one_group(
    rows: Rows, groups: list[int], n_distinct: int
) -> None:
    found = groups_of(rows)
    assert found.of.tolist() == groups
    assert (found.n, found.n_distinct) == (max(groups) + 1, n_distinct)
    backwards = groups_of(rows[::-1])
    same = [a == b for a, b in itertools.combinations(groups, 2)]
    again = backwards.of.tolist()[::-1]
    assert [a == b for a, b in itertools.combinations(again, 2)] == same


def test_groups_are_the_connected_parts_of_random_pairs() -> None:
    """Beside a matrix of who shares an input with whom, multiplied with itself."""
    draw = torch.Generator().manual_seed(0)
    for n_inputs in (5, 20, 60, 200):
        ends = torch.randint(n_inputs, (40, 2), generator=draw)
        found = groups_of([(chr(a + 300) * 2, chr(b + 300) * 2) for a, b in ends.tolist()])
        shares = (ends[:, None, :, None] == ends[None, :, None, :]).flatten(2).any(dim=-1)
        for _ in range(6):
            shares = shares.double() @ shares.double() > 0
        assert torch.equal(found.of[:, None] == found.of[None], shares)


def test_the_same_texts_with_other_answers_differ_and_stay_together() -> None:
    found = groups_of([("ab", "cd"), ("ab", "cd"), ("ab", "cd")], right="xyx")
    assert (found.n, found.n_distinct) == (1, 2)


def test_lengths_are_put_together_by_their_index() -> None:
    parts = [part([("ab", "cd"), ("cd", "ab")], [3, 0]), part([("abc", "cde")] * 2, [1, 2])]
    assert grouped(parts).of.tolist() == [0, 1, 1, 0]
    assert grouped(parts).distinct.tolist() == [0, 1, 1, 2]


def test_names_of_a_file_decide() -> None:
    rows = [("ab", "cd"), ("cd", "ab"), ("ef", "gh"), ("ij", "kl")]
    found = groups_of(rows, ["x", "x", "x", "y"])
    assert (found.of.tolist(), found.divided) == ([0, 0, 0, 1], ())
    found = groups_of(rows, ["b", "a", "c", "c"])
    assert (found.of.tolist(), found.divided) == ([0, 1, 2, 2], ("a", "b"))


def test_in_words() -> None:
    assert [str(sized(*sizes)) for sizes in ((1,), (1, 1, 1), (2, 2), (3,))] == [
        *("1 pair", "3 pairs", "4 pairs in 2 groups", "3 pairs in 1 group")
    ]
    assert few(sized(1, 1)) == "with 2 pairs"
    assert few(sized(4, 4)) == "with 2 groups (8 pairs, of which 8 differ)"
    assert few(groups_of([("ab", "cd"), ("ef", "gh")] * 4)) == (
        "with 2 groups (8 pairs, of which 2 differ)"
    )
    assert (few(sized(*[9] * 6)), few(sized(9))) == (None, None)
    assert only(sized(1)) == "one pair says nothing of others"
    for found, reason in (
        (sized(5), "all 5 pairs are linked by inputs that they share"),
        (groups_of([("ab", "cd")] * 3), "all 3 pairs are the same"),
        (groups_of([("ab", "cd"), ("ef", "gh")], ["x", "x"]), "the file puts all 2 pairs into one"),
    ):
        said = only(found)
        assert said is not None
        assert said.startswith(reason)
        assert said.endswith(", and one group says nothing of others")
    assert only(sized(5, 1)) is None


@pytest.mark.parametrize(
    "sizes",
    [(1, 1), (2,) * 80, (1,) * 7, (5, 5), (9, 1), (1, 9), (150, 1, 1, 1), (3, 1, 4, 1, 5, 9, 2, 6)],
)
@pytest.mark.parametrize("holdout", [0.01, 0.25, 0.5, 0.9, 0.99])
def test_no_group_is_on_both_sides(sizes: tuple[int, ...], holdout: float) -> None:
    groups = sized(*sizes)
    for seed in range(5):
        found_on, tested_on = divided(groups, holdout, seed)
        assert len(found_on)
        assert len(tested_on)
        assert sorted([*found_on.tolist(), *tested_on.tolist()]) == list(range(sum(sizes)))
        assert found_on.tolist() == sorted(found_on.tolist())
        sides = [set(groups.of[side].tolist()) for side in (found_on, tested_on)]
        assert not sides[0] & sides[1]
        # no group that is not held out would bring the share nearer to what is asked for
        wanted, n = max(1, round(holdout * sum(sizes))), len(tested_on)
        if n <= wanted:
            for group in sides[0] if len(sides[0]) > 1 else ():
                assert abs(n + sizes_of(groups)[group] - wanted) >= abs(n - wanted)


def sizes_of(groups: PairGroups) -> list[int]:
    return groups.of.bincount().tolist()


@pytest.mark.parametrize("holdout", [0.25, 0.5])
def test_pairs_apart_are_divided_by_number(holdout: float) -> None:
    found_on, tested_on = divided(sized(*[1] * 96), holdout, seed=3)
    assert (len(found_on), len(tested_on)) == (96 - 96 * holdout, 96 * holdout)
    alike = divided(sized(*[2] * 48), holdout, seed=3)
    assert [len(side) for side in alike] == [len(found_on), len(tested_on)]


def test_nothing_is_held_out_unasked() -> None:
    assert [side.tolist() for side in divided(sized(2, 1), 0.0, seed=0)] == [[0, 1, 2]] * 2
