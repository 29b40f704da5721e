"""What a user is told of how a pretrained model's texts are read."""

import re
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mitool import tasks
from mitool.core.errors import InputError
from mitool.core.result import read_as
from mitool.models.pretrained import Pretrained
from mitool.pairs.files import PairTexts, read_pairs
from mitool.pairs.prompt_pairs import encode_pairs
from mitool.pairs.reading import reading_of_pairs, reading_of_texts, reading_of_tokens
from tests.analysis.attention.models import random_model, subject_of
from tests.tokenizer_kinds import BOS, EOS, KINDS, UNK, fast, pretrained


@pytest.fixture
def model() -> Pretrained:
    return pretrained(fast(KINDS["bytes"](), "bos"))


def pair(clean: str | tuple[int, ...] = "The girl was happy.", **said: Any) -> PairTexts:
    usual = {"corrupted": "The boy was happy.", "correct": (" She",), "incorrect": (" He",)}
    return PairTexts(clean, **{**usual, "label": None, "line": 7, "where": "p.csv, line 7", **said})


def test_the_record_of_a_reading(model: Pretrained) -> None:
    reading = reading_of_pairs(model, [pair(), pair()])
    labels = [model.label(token) for token in model.encode("The girl was happy.").tolist()]
    assert reading.config == {
        "special_tokens": {"before": [BOS], "after": []},
        "first_prompt": labels,
    }
    assert reading.warnings == ()
    assert read_as(reading.config) == (
        f"The first text is read as {'|'.join(labels)} ({BOS} is put before each text)."
    )
    bare = reading_of_texts(model.with_bos("no"), ["The girl was happy."])
    assert list(bare.first_prompt) == labels[1:]
    assert str(read_as(bare.config)).endswith("(nothing is put before a text).")
    drawn = reading_of_tokens(model, model.encode("zz"))
    assert drawn.first_prompt == (BOS, "z", "z")


def test_digits_after_digits_are_those_that_go_on_with_the_text() -> None:
    words = {w: i for i, w in enumerate([UNK, "to", "13", "17", "##45", "##12", "45", "12"])}
    pieces = Tokenizer(models.WordPiece(words, unk_token=UNK))
    pieces.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    model = pretrained(PreTrainedTokenizerFast(tokenizer_object=pieces, unk_token=UNK))
    years = pair("to 17", corrupted="to 13", correct=("45",), incorrect=("12",))
    (group,) = encode_pairs([years], model)
    assert group.right.tolist() == [[[words["##45"]]]]
    assert group.wrong.tolist() == [[[words["##12"]]]]


def test_a_long_text_is_shown_by_its_ends() -> None:
    config = {"first_prompt": [f"{i}" for i in range(40)], "special_tokens": {"before": []}}
    line = str(read_as(config))
    assert "0|1|2|3|4|5|6|7|8|9|10|11|…|28|29|30|31|32|33|34|35|36|37|38|39 (" in line


def test_of_a_toy_there_is_nothing_to_say() -> None:
    task = tasks.get("greater-than")()
    sizes = {"n_ctx": task.n_ctx, "d_vocab": task.d_vocab, "d_vocab_out": task.d_vocab_out}
    toy = subject_of(random_model(**sizes), task)
    assert reading_of_texts(toy, ["noun3 13 52 13"]).config == {}
    assert read_as({}) is None


def said(model: Pretrained, *pairs: PairTexts) -> list[str]:
    assert encode_pairs(pairs, model)
    return list(reading_of_pairs(model, pairs).warnings)


def test_a_bos_twice(model: Pretrained) -> None:
    twice = pair(f"{BOS}The girl was happy.", corrupted=f"{BOS}The boy was happy.")
    (found,) = said(model, pair(), twice)
    assert found.startswith(f"2 of 4 texts begin with {BOS} twice: one is the text's own")
    assert said(model.with_bos("yes"), twice) == said(model.with_bos("no"), twice) == []


def test_tokens_after_a_text_are_left_off() -> None:
    model = pretrained(fast(KINDS["bytes"](), "both"))
    (found,) = said(model, pair())
    assert found.startswith(
        f"the tokenizer puts {EOS} after a text: it is left off, and the answer"
    )
    ended = pair(f"The girl was happy.{EOS}", corrupted=f"The boy was happy.{EOS}")
    found, end = said(model, ended)
    assert end.startswith("2 of 2 texts end with a special token of their own")


def test_inputs_that_are_tokens_are_read_as_they_are(model: Pretrained) -> None:
    texts = ("The girl was happy.", "The boy was happy.")
    own = [tuple(model.encode(text).tolist()) for text in texts]
    she, he = (int(model.encode(text)[-1]) for text in (" She", " He"))
    answers = {"correct": (she,), "incorrect": (he,)}
    assert said(model, pair(own[0], corrupted=own[1], **answers)) == []
    bare = pair(own[0][1:], corrupted=own[1][1:], **answers)
    (found,) = said(model, bare)
    assert found.startswith(f"2 of 2 inputs are given as tokens without {BOS}")
    assert reading_of_pairs(model, [bare]).config["special_tokens"]["before"] == []


def test_answers_without_their_space(model: Pretrained) -> None:
    she = {"correct": ("She",), "incorrect": (" He",)}
    assert said(model, pair(correct=("S",))) == []  # `▁S` is no token
    (found,) = said(model, pair(), pair(**she), pair(correct=("He",), incorrect=("She",)))
    own, other = (int(model.encode(text)[-1]) for text in ("She", " She"))
    assert own != other
    assert found.startswith(
        f"2 of 3 pairs have answers that would be another token with a space before them, such as "
        f"'She', which is token {own} (`She`) and would be token {other} (`▁She`); write the space"
    )
    for end in "(", "-", "'":  # where a word follows without one
        texts = {"clean": f"The girl was{end}", "corrupted": f"The boy was{end}"}
        assert said(model, pair(**texts, **she)) == []


def test_answers_that_are_special(model: Pretrained) -> None:
    (found,) = said(model, pair(), pair(correct=(EOS,)))
    assert found == (
        f"1 of 2 pairs have an answer that is a special token and stands for no text, such as {EOS}"
    )
    assert said(model, pair(correct=(2,)))[0].startswith("1 of 1 pairs have an answer that is a sp")


@pytest.mark.parametrize("kind", ["words", "word pieces"])
def test_answers_that_are_unknown_are_refused(kind: str) -> None:
    model = pretrained(fast(KINDS[kind]()))
    for answers in ((" 9",), (" She",)), ((" She",), (" 9",)), ((" 9",), (" 8",)):
        message = rf"^p.csv, line 7: expected an answer that the tokenizer knows.*{UNK}"
        with pytest.raises(InputError, match=message):
            encode_pairs([pair(correct=answers[0], incorrect=answers[1])], model)
    (found,) = said(model, pair("The 9 was happy."))
    assert found.startswith("1 of 2 texts have words that the tokenizer does not know")


def test_letters_that_a_tokenizer_drops() -> None:
    entries = {letter: i for i, letter in enumerate(dict.fromkeys("The girlboys.SH"))}
    tokenizer = Tokenizer(models.BPE(entries, []))
    model = pretrained(PreTrainedTokenizerFast(tokenizer_object=tokenizer))
    pairs = [pair("The girl.", corrupted="The boys.", correct=("S",), incorrect=("H",))]
    assert said(model, *pairs) == []
    pairs.append(pair("The girl x.", corrupted="The  boys.", correct=("S",), incorrect=("H",)))
    (found,) = said(model, *pairs)
    assert found == (
        "1 of 4 different texts have letters that the tokenizer drops or exchanges, such as "
        "'The girl x.', which it reads as 'T h e   g i r l   .'"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_capitals_and_spaces_may_be_lost(kind: str) -> None:
    model = pretrained(fast(KINDS[kind](), "bos"))
    assert reading_of_texts(model, ["The girl  was happy.", " the girl", "女孩"]).warnings in (
        (),
        (
            "1 of 3 texts have words that the tokenizer does not know, and in whose place it puts "
            f"{UNK}",
        ),
    )


HEADING = "clean,corrupted"
TEXTS = "The girl was happy.,The boy was happy."


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ("correct_idx,incorrect_idx", "{she},{he}"),
        ("clean_answer_idx,corrupted_answer_idx,label", "{she},{he},0"),
        ("country_idx,corrupted_country_idx,country", "{she},{he},x"),
        ("correct_idx,incorrect_idx,label", "{she},{he},1"),
        ("correct,incorrect", " She, He"),
        ("clean_answer,corrupted_answer", " She, He"),
        ("correct,incorrect,correct_idx,incorrect_idx", " She, He,{she},{he}"),
        ("correct,incorrect,correct_idx,incorrect_idx", "She,He,{she},{he}"),
        ("correct,incorrect,correct_idx,incorrect_idx", "She went,He,{she},{he}"),
        ("correct,incorrect,correct_idx,incorrect_idx", " She, He,,"),
        ("correct,incorrect,correct_idx,incorrect_idx", ",,{she},{he}"),
        ("correct,incorrect,correct_idx", " She, He,{she}"),
    ],
)
def test_the_columns_of_answers(
    model: Pretrained, tmp_path: Path, columns: str, fields: str
) -> None:
    she, he = (int(model.encode(text)[-1]) for text in (" She", " He"))
    path = tmp_path / "pairs.csv"
    path.write_text(f"{HEADING},{columns}\n{TEXTS},{fields.format(she=she, he=he)}\n")
    (group,) = encode_pairs(read_pairs(path), model)
    assert (group.right.tolist(), group.wrong.tolist()) == ([[[she]]], [[[he]]])


@pytest.mark.parametrize(
    ("columns", "fields", "message"),
    [
        (
            "correct,incorrect,correct_idx,incorrect_idx",
            " She, He,{he},{she}",
            "the same answer as a token and as text, found the token {he} (`▁He`) and ' She'",
        ),
        (
            "correct,incorrect,correct_idx",
            " She, He,5",
            "the token {she} (`▁She`) and 5; leave out",
        ),
        ("correct_idx,label", "{she},52", "both of the columns correct_idx and incorrect_idx or"),
        ("clean_answer_idx", "{she}", "both of the columns clean_answer_idx and corrupted_answer"),
        ("correct_idx,incorrect_idx", "x,{he}", "token as correct_idx, found 'x'; text goes into"),
        ("correct_idx,incorrect_idx", ",{he}", "expected both answers or neither, found one"),
    ],
)
def test_columns_that_contradict_each_other(
    model: Pretrained, tmp_path: Path, columns: str, fields: str, message: str
) -> None:
    she, he = (int(model.encode(text)[-1]) for text in (" She", " He"))
    path = tmp_path / "pairs.csv"
    path.write_text(f"{HEADING},{columns}\n{TEXTS},{fields.format(she=she, he=he)}\n")
    with pytest.raises(InputError, match=re.escape(message.format(she=she, he=he))):
        encode_pairs(read_pairs(path), model)
