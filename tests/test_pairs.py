"""Pairs as tokens: their groups and answers, and the pairs that are refused."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from mitool import tasks
from mitool.core.device import generator
from mitool.core.errors import InputError, UsageError
from mitool.models.subject import open_model
from mitool.pairs.files import PairTexts, has_only_years, read_pairs
from mitool.pairs.prompt_pairs import clean_prompts, encode_pairs, of_task
from mitool.tasks import NO_ANSWER
from tests.analysis.attention.models import SHARED, random_model, subject_of

NEEDS_SHARED = pytest.mark.skipif(not SHARED.exists(), reason="the shared files are not here")
WORDS = ("<s>", "?", "\n", "a", "b", "c", "d", "bb", *(f"{year:02d}" for year in range(100)), "1")
"""The fake model's tokens; two letters of a word are one token where they are known."""


class Letters:
    """Reads two letters at a time where it knows them as one, behind a start; spaces are none."""

    separator = ""
    unk = None

    def __init__(self, n_ctx: int = 9, words: tuple[str, ...] = WORDS) -> None:
        n = len(words)
        self.words = words
        self.shape = SimpleNamespace(n_ctx=n_ctx, d_vocab=n, d_vocab_out=n)

    def encode(self, text: str) -> Tensor:
        if "!" in text:
            raise UsageError("expected no shouting")
        tokens, rest = [0], text.replace(" ", "")
        while rest:
            n = 2 if rest[:2] in self.words else 1
            tokens.append(self.words.index(rest[:n]) if rest[:n] in self.words else 1)
            rest = rest[n:]
        return torch.tensor(tokens)

    def label(self, token: int) -> str:
        return self.words[token]


def pair(
    clean: str | tuple[int, ...], corrupted: str | tuple[int, ...], **said: object
) -> PairTexts:
    usual: dict[str, object] = {"correct": (), "incorrect": (), "label": None, "line": 7}
    return PairTexts(clean, corrupted, **{**usual, "where": "p.csv, line 7", **said})


def test_groups_of_one_length_keep_their_place_in_the_file() -> None:
    given = [
        pair("a b", "a c", correct=("a", "d"), incorrect=(5,)),
        pair("a", "b", correct=(3,), incorrect=("c", "d", "d")),
        pair((0, 3, 4), "a d", correct=(3,), incorrect=(6, 5)),
    ]
    short, long = encode_pairs(given, Letters())
    assert (short.clean.tolist(), short.corrupted.tolist()) == ([[0, 3]], [[0, 4]])
    assert (short.index.tolist(), short.answer_positions) == ([1], (1,))
    assert (short.right.tolist(), short.wrong.tolist()) == ([[[3]]], [[[5, 6]]])
    assert long.clean.tolist() == [[0, 3, 4], [0, 3, 4]]
    assert long.corrupted.tolist() == [[0, 3, 5], [0, 3, 6]]
    assert (long.index.tolist(), long.answer_positions) == ([0, 2], (2,))
    assert long.right.tolist() == [[[3, 6]], [[3, NO_ANSWER]]]
    assert long.wrong.tolist() == [[[5, NO_ANSWER]], [[6, 5]]]
    assert long[1:].index.tolist() == [2]
    assert len(long[:1]) == 1


def test_without_answers_there_are_none() -> None:
    (group,) = encode_pairs([pair("a", "b"), pair("c", "d")], Letters())
    assert group.right.shape == group.wrong.shape == (2, 1, 0)


def test_only_the_clean_text_is_read_without_interventions() -> None:
    given = [pair("a b", "a", correct=("a", "d"), incorrect=("c",))]
    (prompts,) = clean_prompts(given, Letters())
    assert prompts.tokens.tolist() == [[0, 3, 4]]
    assert prompts.targets is not None
    assert prompts.others is not None
    assert (prompts.targets.tolist(), prompts.others.tolist()) == ([[3]], [[5]])
    (prompts,) = clean_prompts([pair("a b", "a")], Letters())
    assert prompts.targets is None


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (
            pair("a b c", "a bb c d"),
            r"as many tokens, found 4 and 5, which part at position 2 .*"
            r": `<s>\|a\|b\|c` and `<s>\|a\|bb\|c\|d`; exchange words",
        ),
        (pair("a b", "a b c"), r"which part at position 3 .*`<s>\|a\|b` and `<s>\|a\|b\|c`"),
        (
            pair("a" * 20 + "b" * 3, "a" * 20 + "b"),
            r"found 23 and 22, which part at position 21 .*: `\.\.\|a\|a\|a\|a\|a\|a\|a\|a\|bb\|b`",
        ),
        (pair("a b", "a  b"), r"tokens differ from the clean one's, found `<s>\|a\|b` for both"),
        (pair("a x", "a y"), r"found `<s>\|a\|\?` for both"),
        (pair("a" * 40, "b" * 3), "expected a clean text of at most 30 tokens, .* found 41"),
        (pair("a", "b" * 99), "expected a corrupted text of at most 30 tokens, .* found 51"),
        (pair("  ", "a"), "expected a clean text of at least two tokens, found 1"),
        (pair("a", (3,)), "expected a corrupted text of at least two tokens, found 1"),
        (pair((0, -1), "a"), "expected tokens of the model, 0 to 108, in the clean text, found -1"),
        (pair("a", (0, 10**30)), "in the corrupted text, found 1000"),
        (pair("a!", "b"), "expected no shouting"),
    ],
)
def test_inputs_that_are_no_pair_are_refused(refused: PairTexts, message: str) -> None:
    with pytest.raises(InputError, match="^p.csv, line 7: .*" + message):
        encode_pairs([pair("a", "b"), refused], Letters(n_ctx=30))


def test_a_space_that_ends_a_text_is_told() -> None:
    refused = pair("a b ", "a c ", correct=("a d",), incorrect=(5,))
    with pytest.raises(InputError, match="the text ends with a space: move it to the answers"):
        encode_pairs([refused], Letters())


@pytest.mark.parametrize(
    ("correct", "incorrect", "message"),
    [
        (("a d",), (5,), "one token after the text .*, found 'a d'"),
        (("b",), (5,), "one token after the text .*, found 'b'"),  # bb is one token
        ((-1,), (5,), "among the model's outputs, 0 to 108, found -1"),
        ((3,), (109,), "among the model's outputs, 0 to 108, found 109"),
        ((3, 4), ("d", "a"), r"either right or wrong, found token 3 \(`a`\) as both"),
    ],
)
def test_answers_that_are_none_are_refused(
    correct: tuple[int | str, ...], incorrect: tuple[int | str, ...], message: str
) -> None:
    refused = pair("a b", "a c", correct=correct, incorrect=incorrect)
    for read in (encode_pairs, clean_prompts):
        with pytest.raises(InputError, match="^p.csv, line 7: .*" + message):
            read([refused], Letters())


def test_text_is_no_answer_to_tokens() -> None:
    refused = pair((0, 3), (0, 4), correct=("a",), incorrect=("b",))
    with pytest.raises(InputError, match="answers to an input of tokens as tokens, found the text"):
        encode_pairs([refused], Letters())


def test_a_text_of_as_many_tokens_as_the_model_reads() -> None:
    (group,) = encode_pairs([pair("abcd", "abca")], Letters(n_ctx=5))
    assert group.clean.shape == (1, 5)


YEAR = pair("a 13 52 b 13", "a 13 01 b 13", label=52)


def test_right_are_the_years_after_the_label() -> None:
    first = WORDS.index("00")
    given = [YEAR, replace(YEAR, clean="a 13 98 b 13", label=98, correct=(3,), incorrect=(4,))]
    (group,) = encode_pairs(given, Letters(), years=True)
    assert group.right.shape == (2, 1, 47)
    assert group.wrong.shape == (2, 1, 99)
    assert group.right[0, 0].tolist() == [first + year for year in range(53, 100)]
    assert group.wrong[0, 0, :53].tolist() == [first + year for year in range(53)]
    assert set(group.wrong[0, 0, 53:].tolist()) == {NO_ANSWER}
    assert group.right[1, 0].tolist() == [first + 99, *[NO_ANSWER] * 46]


def test_digits_that_run_together_are_read_apart() -> None:
    # as ` 1300` is one token of GPT-2: 1, then 30, then the other 0
    model = Letters()
    assert [model.label(token) for token in model.encode("1" + "30").tolist()] == ["<s>", "13", "?"]
    (group,) = encode_pairs([pair("a1", "b1", correct=("30",), incorrect=("31",))], model)
    assert group.right.tolist() == [[[WORDS.index("30")]]]


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (replace(YEAR, label=None), "expected a label from 0 to 99, .* found none"),
        (
            replace(YEAR, clean="a 13 99 b 13", label=99),
            "expected a label below 99, found 99, after which there is no year",
        ),
        (
            replace(YEAR, label=53),
            r"the label 53 as a token of the clean text, found `<s>\|a\|13\|52\|b\|13` without it",
        ),
    ],
)
def test_pairs_without_a_year_are_refused(refused: PairTexts, message: str) -> None:
    with pytest.raises(InputError, match="^p.csv, line 7: .*" + message):
        encode_pairs([YEAR, refused], Letters(), years=True)


class OneToken(Letters):
    """Knows every word as the same."""

    def encode(self, text: str) -> Tensor:
        return torch.tensor([0] + [1] * len(text.split()))


def test_a_tokenizer_without_years_is_refused() -> None:
    digits = Letters(30, tuple(word for word in WORDS if len(word) < 2) + tuple("0235"))
    with pytest.raises(InputError, match=r"line 7: .* found `0\|0` for 00: it splits years"):
        encode_pairs([YEAR], digits, years=True)
    unlike = pair((0, 3), (0, 4), label=3)
    with pytest.raises(InputError, match="found 1 tokens for all of them"):
        encode_pairs([replace(YEAR, corrupted=(0, 1, 1, 1, 1, 3)), unlike], OneToken(), years=True)


def test_a_toy_reads_files_too() -> None:
    task = tasks.get("greater-than")()
    sizes = {"n_ctx": task.n_ctx, "d_vocab": task.d_vocab, "d_vocab_out": task.d_vocab_out}
    subject = subject_of(random_model(**sizes).float(), task)
    given = replace(YEAR, clean="noun3 13 52 13", corrupted="noun3 13 01 13")
    (group,) = encode_pairs([given], subject, years=True)
    assert group.clean.tolist() == [[103, 13, 52, 13]]
    assert group.right[0, 0].tolist() == list(range(53, 100))
    answered = replace(given, clean="noun3 13 52 noun3", correct=(" 60",), incorrect=(" 07",))
    (group,) = encode_pairs([answered], subject)
    assert (group.right.tolist(), group.wrong.tolist()) == ([[[60]]], [[[7]]])
    with pytest.raises(InputError, match="line 7: task greater-than: expected its tokens"):
        encode_pairs([replace(given, clean="war 13 52 13")], subject)


def test_slices_of_a_tasks_pairs() -> None:
    task = tasks.get("greater-than")()
    drawn = task.pairs(5, generator(0, "pairs"))
    pairs = of_task(drawn, task)[1:3]
    assert pairs.index.tolist() == [1, 2]
    assert pairs.drawn is not None
    assert torch.equal(pairs.drawn.clean.tokens, drawn.clean.tokens[1:3])
    assert torch.equal(pairs.drawn.corrupted.targets, drawn.corrupted.targets[1:3])
    assert torch.equal(pairs.clean, pairs.drawn.clean.tokens)


@NEEDS_SHARED
def test_pairs_of_a_real_language_model() -> None:
    subject = open_model(str(SHARED / "stories260k"))
    groups = encode_pairs(read_pairs(SHARED / "pronoun_pairs.csv"), subject)
    assert sum(map(len, groups)) == 160
    assert sorted(i for group in groups for i in group.index.tolist()) == list(range(160))
    first = next(group for group in groups if 0 in group.index)
    assert (first.right[0].tolist(), first.wrong[0].tolist()) == ([[338]], [[346]])
    years = read_pairs(SHARED / "greater_than.csv")
    assert has_only_years(years)
    groups = encode_pairs(years, subject)
    assert sum(map(len, groups)) == 1000
    assert {group.right.shape[1:] for group in groups} == {(1, 0)}
    with pytest.raises(InputError, match=r"csv, line 2: .* found `0\|0` for 00: it splits years"):
        encode_pairs(years, subject, years=True)
