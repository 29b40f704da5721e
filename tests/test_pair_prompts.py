"""Generated prompts: what they say, which words a tokenizer leaves, and those that are refused."""

import re
from collections import Counter
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from mitool.core.errors import InputError, UsageError
from mitool.models.pretrained import load_pretrained
from mitool.models.subject import Subject, open_model
from mitool.pairs.files import PairTexts
from mitool.pairs.generated import GENERATED, generated_pairs
from mitool.pairs.generated.greater_than import NOUNS
from mitool.pairs.generated.ioi import NAMES, OBJECTS, PLACES, TEMPLATES
from mitool.pairs.prompt_pairs import PromptPairs, encode_pairs
from mitool.tasks import NO_ANSWER
from mitool.tasks.greater_than import GreaterThan
from tests.analysis.attention.models import SHARED, random_model, subject_of, tiny_llama
from tests.word_tokenizers import (
    CENTURIES,
    NAMES_KNOWN,
    NOUNS_KNOWN,
    OTHERS_KNOWN,
    PAIRS_OF_DIGITS,
    Fake,
    byte_level,
    cut,
)

NEEDS_SHARED = pytest.mark.skipif(not SHARED.exists(), reason="the shared files are not here")
YEAR = re.compile(r"The (\w+) lasted from the year (\d\d)(\d\d) to the year (\d\d)")
WORD = " ?[A-Za-z]+"
MODEL = Fake(byte_level())


def encoded(name: str, pairs: list[PairTexts]) -> list[PromptPairs]:
    return encode_pairs(pairs, MODEL, years=GENERATED[name].metric == "greater-than")


def words_of(text: str, among: tuple[str, ...]) -> list[str]:
    return [word for word in re.findall(r"\w+", text) if word in among]


@pytest.mark.parametrize("name", GENERATED)
def test_every_seed_makes_pairs_that_the_model_reads(name: str) -> None:
    for seed in range(20):
        pairs = generated_pairs(name, MODEL, 50, seed)
        assert len({pair.clean for pair in pairs}) == 50
        groups = encoded(name, pairs)
        assert sum(map(len, groups)) == 50
        for group in groups:
            assert ((group.right != NO_ANSWER).any(-1) & (group.wrong != NO_ANSWER).any(-1)).all()
    assert [pair.where for pair in pairs] == [f"{name}, prompt {i}" for i in range(1, 51)]


@pytest.mark.parametrize("name", GENERATED)
def test_a_seed_gives_the_same_pairs_and_another_others(name: str) -> None:
    pairs = generated_pairs(name, MODEL, 50, seed=3)
    assert generated_pairs(name, MODEL, 50, seed=3) == pairs
    assert generated_pairs(name, MODEL, 7, seed=3) == pairs[:7]
    others = generated_pairs(name, MODEL, 50, seed=4)
    assert len({pair.clean for pair in pairs} & {pair.clean for pair in others}) < 25


def test_spans_of_years() -> None:
    pairs = generated_pairs("greater-than", MODEL, 1743, seed=0)  # all: see the test of numbers
    found: Counter[str] = Counter()
    for pair in pairs:
        noun, century, year, again = parts_of(pair.clean)
        assert parts_of(pair.corrupted) == (noun, century, "01", again)
        assert century == again
        assert (pair.label, pair.correct, pair.incorrect) == (int(year), (), ())
        found.update([noun, century + year])
    assert {word for word in found if word.isalpha()} == set(NOUNS_KNOWN)
    years = {f"{century}{year:02d}" for century in CENTURIES for year in range(2, 99)}
    # 1732 is one token, and so is 1201, which every corrupted prompt of its century would hold
    left = {year for year in years if year != "1732" and not year.startswith("12")}
    assert {word for word in found if word.isdigit()} == left


def parts_of(text: str) -> tuple[str, ...]:
    parts = YEAR.fullmatch(text)
    assert parts, text
    return parts.groups()


def test_spans_of_years_as_tokens() -> None:
    pairs = generated_pairs("greater-than", MODEL, 30, seed=0)
    (group,) = encoded("greater-than", pairs)
    assert group.clean.shape == (30, 12)
    for i, pair in zip(group.index.tolist(), pairs, strict=True):
        labels = [MODEL.label(token) for token in group.clean[i].tolist()]
        assert labels[6:8] == ["▁" + parts_of(pair.clean)[1], parts_of(pair.clean)[2]]
        assert (group.clean[i] != group.corrupted[i]).nonzero().tolist() == [[7]]
        later = [MODEL.label(t) for t in group.right[i, 0].tolist() if t != NO_ANSWER]
        assert pair.label is not None
        assert later == PAIRS_OF_DIGITS[pair.label + 1 :]


def test_who_is_given_it() -> None:
    pairs = generated_pairs("ioi", MODEL, 400, seed=0)
    orders: Counter[str] = Counter()
    for pair in pairs:
        first, second, giver = words_of(pair.clean, NAMES)
        others = words_of(pair.corrupted, NAMES)
        assert first != second
        assert len({first, second, *others}) == 5
        assert {first, second, *others} <= set(NAMES_KNOWN)
        given = second if giver == first else first
        assert giver in (first, second)
        assert (pair.correct, pair.incorrect, pair.label) == ((f" {given}",), (f" {giver}",), None)
        assert without_names(pair.clean) == without_names(pair.corrupted)
        assert set(words_of(pair.clean, PLACES + OBJECTS)) <= set(OTHERS_KNOWN)
        orders["ABBA" if giver == second else "BABA"] += 1
    assert sum(orders.values()) == 400
    assert min(orders["ABBA"], orders["BABA"]) > 150
    assert len({re.sub("park|zoo|ring|drink", "_", without_names(p.clean)) for p in pairs}) == 15


def without_names(text: str) -> str:
    return re.sub("|".join(NAMES_KNOWN), "_", text)


def test_who_is_given_it_as_tokens() -> None:
    pairs = generated_pairs("ioi", MODEL, 200, seed=0)
    groups = encoded("ioi", pairs)
    assert [group.clean.shape[1] for group in groups] == [14, 15, 17, 18, 19, 20]
    for group in groups:
        assert ((group.clean != group.corrupted).sum(dim=1) == 3).all()
        assert group.right.shape == group.wrong.shape == (len(group), 1, 1)
        last = [MODEL.label(token) for token in group.clean[:, -1].tolist()]
        assert set(last) == {"▁to"}
        for i, right, wrong in zip(group.index.tolist(), group.right, group.wrong, strict=True):
            names = [MODEL.label(int(token)).removeprefix("▁") for token in (right, wrong)]
            assert names == [pairs[i].correct[0].strip(), pairs[i].incorrect[0].strip()]


def test_the_number_of_different_prompts() -> None:
    # 3 nouns, and 97 years of 6 centuries less one year
    # 6 * 5 names in 2 orders, and 2 * 2 places and objects in all but 2 of the 15 templates
    for name, n in ("greater-than", 3 * (6 * 97 - 1)), ("ioi", 60 * (13 * 4 + 2)):
        pairs = generated_pairs(name, MODEL, n, seed=0)
        assert len({pair.clean for pair in pairs}) == n
        message = f"^{name}: expected .* leaves {n + 1} different prompts, found {n}; ask for"
        with pytest.raises(InputError, match=message):
            generated_pairs(name, MODEL, n + 1, seed=0)


@pytest.mark.parametrize(
    ("name", "tokenizer", "message"),
    [
        (
            "greater-than",
            byte_level(numbers=(), pairs_of_digits=False, years=()),
            r"each of the years 00 to 99 is one token .*, found `0\|0` for 00: it splits years.*",
        ),
        (
            "greater-than",  # three digits at a time
            byte_level(numbers=(*CENTURIES, *(f"{i}" for i in range(110, 180))), years=()),
            r"reads a year as its century and one token more, found none of 1102 to 1798, and "
            r"`The\|▁year\|▁179\|8`",
        ),
        (
            "greater-than",
            cut(rf"{WORD}| \d\d|\d\d", ()),
            r"found none of 1102 to 1798, and `The\|<unk>\|<unk>\|98`",
        ),
        (
            "greater-than",  # the century in other tokens where a year is behind it
            cut(rf"{WORD}| \d(?=\d{{3}})|\d(?=\d\d\b)| \d\d|\d\d", (" 1", "7", " 17")),
            r"found none of 1102 to 1798, and `The\|<unk>\| 1\|7\|98`",
        ),
        (
            "greater-than",
            byte_level(NAMES_KNOWN),
            f"events such as 'war' are one token, found none of {len(NOUNS)}",
        ),
        (
            "ioi",
            byte_level((*NAMES_KNOWN[:4], *OTHERS_KNOWN)),
            rf"at least 5 of {len(NAMES)} names \(Aaron, Adam, ..\) are one token each, found 4",
        ),
        ("ioi", byte_level((*NAMES_KNOWN, "ring")), "at least 1 of 30 places .* found 0"),
        ("ioi", byte_level((*NAMES_KNOWN, "park")), "at least 1 of 31 objects .* found 0"),
    ],
)
def test_tokenizers_without_the_words_are_refused(
    name: str, tokenizer: Tokenizer, message: str
) -> None:
    message = f"^{name}: expected a tokenizer .*{message}; choose a model with such"
    with pytest.raises(InputError, match=message):
        generated_pairs(name, Fake(tokenizer), 3, seed=0)


def test_a_space_apart_from_the_century_is_no_hindrance() -> None:
    model = Fake(byte_level(numbers=(), years=()))
    pairs = generated_pairs("greater-than", model, 3 * 7 * 97, seed=0)
    (group,) = encode_pairs(pairs, model, years=True)
    labels = [model.label(token) for token in group.clean[0].tolist()]
    century, year = parts_of(pairs[0].clean)[1:3]
    assert labels[6:9] == ["▁", century, year]
    assert labels[-2:] == ["▁", century]


def test_one_token_for_all_unknown_words_is_no_name(tmp_path: Path) -> None:
    model = load_pretrained(tiny_llama(tmp_path))
    assert model.encode("The Mary").tolist() == model.encode("The John").tolist()
    with pytest.raises(InputError, match="names .* found 0; choose"):
        generated_pairs("ioi", model, 3, seed=0)
    with pytest.raises(InputError, match="events .* found none"):
        generated_pairs("greater-than", model, 3, seed=0)


@pytest.mark.parametrize("name", GENERATED)
def test_a_toy_has_no_words(name: str) -> None:
    task = GreaterThan()
    sizes = {"n_ctx": task.n_ctx, "d_vocab": task.d_vocab, "d_vocab_out": task.d_vocab_out}
    subject: Subject = subject_of(random_model(**sizes), task)
    with pytest.raises(InputError, match=f"^{name}: task greater-than: expected its tokens"):
        generated_pairs(name, subject, 3, seed=0)


def test_requests_that_are_refused() -> None:
    with pytest.raises(UsageError, match="'iio': did you mean 'ioi'. known: greater-than, ioi"):
        generated_pairs("iio", MODEL, 3, seed=0)
    with pytest.raises(UsageError, match="ioi: expected at least one pair, found 0"):
        generated_pairs("ioi", MODEL, 0, seed=0)


def test_a_model_from_disk(tmp_path: Path) -> None:
    tokenizer = byte_level()
    n = tokenizer.get_vocab_size()
    config = GPT2Config(vocab_size=n, n_positions=32, n_embd=8, n_layer=1, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(tmp_path)
    model = load_pretrained(tmp_path)
    for name, task in GENERATED.items():
        pairs = generated_pairs(name, model, 20, seed=0)
        assert pairs == generated_pairs(name, MODEL, 20, seed=0)
        groups = encode_pairs(pairs, model, years=task.metric == "greater-than")
        assert sum(map(len, groups)) == 20


@NEEDS_SHARED
def test_a_model_of_512_tokens_has_too_few_words() -> None:
    model = open_model(str(SHARED / "stories260k"))
    for name in GENERATED:
        with pytest.raises(InputError, match=f"^{name}: expected a tokenizer"):
            generated_pairs(name, model, 3, seed=0)


def test_the_lists_hold_each_word_once() -> None:
    for words in (NOUNS, NAMES, PLACES, OBJECTS, TEMPLATES):
        assert len(set(words)) == len(words)
    assert len(NOUNS) >= 40
    assert all(name.isalpha() and name.istitle() for name in NAMES)
    assert not [word for word in OBJECTS if word[0] in "aeiou"]
    assert all(
        t.count("{first}") == t.count("{second}") == t.count("{giver}") == 1 for t in TEMPLATES
    )
