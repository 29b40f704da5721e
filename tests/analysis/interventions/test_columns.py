"""Columns: where pairs of several lengths correspond."""

import torch

from mitool.analysis.interventions.columns import Column, columns_of
from mitool.pairs.prompt_pairs import PromptPairs


def group(clean: str, corrupted: str, first: int = 0, n: int = 1) -> PromptPairs:
    """Pairs of letters."""
    rows = [torch.tensor([[ord(letter) for letter in text]] * n) for text in (clean, corrupted)]
    answers = torch.zeros(n, 1, 1, dtype=torch.int64)
    last = (len(clean) - 1,)
    return PromptPairs(rows[0], rows[1], last, answers, answers + 1, torch.arange(first, first + n))


def spans(columns: tuple[Column, ...]) -> dict[str, tuple[tuple[int, int], ...]]:
    return {column.name: column.spans for column in columns}


def test_of_one_length_every_position_is_a_column() -> None:
    groups, columns = columns_of([group("abc", "aXc"), group("dbe", "Xbe", 1)], chr)
    assert [len(pairs) for pairs in groups] == [1, 1]
    assert spans(columns) == {f"p{i}": ((i, i + 1),) * 2 for i in range(3)}
    assert [column.label for column in columns] == ["p0 a|d", "p1 b", "p2 c|e"]


def test_of_several_lengths_columns_are_counted_from_the_difference_and_from_the_end() -> None:
    # the difference is at 1-2 and at 3-4; four and six tokens follow its start
    groups, columns = columns_of(
        [group("aghbc.", "aXYbc."), group("aaaghbcde.", "aaaXYbcde.", 1)], chr
    )
    assert len(groups) == 2
    assert spans(columns) == {
        "before": ((0, 1), (0, 3)),
        "d+0": ((1, 2), (3, 4)),
        "d+1": ((2, 3), (4, 5)),
        "middle": ((3, 4), (5, 8)),
        "end-1": ((4, 5), (8, 9)),
        "end": ((5, 6), (9, 10)),
    }
    labels = {column.name: column.tokens for column in columns}
    assert labels == {
        "before": "", "d+0": "g", "d+1": "h", "middle": "", "end-1": "c|e", "end": "."
    }  # fmt: skip


def test_every_position_is_in_one_column() -> None:
    texts = [("axb", "aXb"), ("axbcdefg", "aXbcdefg"), ("aaxyb", "aaXYb"), ("aaxycb", "aaXYXX")]
    groups, columns = columns_of([group(*pair, i) for i, pair in enumerate(texts)], chr)
    for number, pairs in enumerate(groups):
        places = [place for column in columns for place in range(*column.spans[number])]
        assert places == list(range(pairs.clean.shape[1]))


def test_pairs_of_one_length_that_differ_elsewhere_are_groups_of_their_own() -> None:
    mixed = group("abcd", "aXcd", n=2)
    mixed.corrupted[1] = torch.tensor([ord(letter) for letter in "abXd"])
    groups, columns = columns_of([mixed, group("abcde", "aXcde", 2)], chr)
    assert [pairs.index.tolist() for pairs in groups] == [[0], [1], [2]]
    assert spans(columns)["before"] == ((0, 1), (0, 2), (0, 1))
    assert spans(columns)["end"] == ((3, 4), (3, 4), (4, 5))


def test_a_difference_at_the_first_or_the_last_token() -> None:
    _, columns = columns_of([group("ab", "Xb"), group("abc", "abX", 1)], chr)
    assert spans(columns) == {"middle": ((0, 1), (0, 2)), "end": ((1, 2), (2, 3))}
    _, columns = columns_of([group("ab", "aX"), group("abc", "abX", 1)], chr)
    assert spans(columns) == {"before": ((0, 1), (0, 2)), "rest": ((1, 2), (2, 3))}


def test_many_different_tokens_are_not_named() -> None:
    pairs = group("ab", "aX", n=9)
    pairs.clean[:, 1] = torch.arange(9) + ord("a")
    _, columns = columns_of([pairs], chr)
    assert [column.label for column in columns] == ["p0 a", "p1"]
