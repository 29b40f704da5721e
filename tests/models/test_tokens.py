"""Texts as tokens of a pretrained model: what is put around them, and how tokens are shown."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from mitool.core.errors import InputError, UsageError
from mitool.models.pretrained import load_pretrained
from mitool.models.pretrained.labels import labels_of
from mitool.models.pretrained.tokens import TextTokens
from mitool.pairs.files import PairTexts
from mitool.pairs.prompt_pairs import encode_pairs
from tests.tokenizer_kinds import AROUND, BOS, EOS, KINDS, UNK, fast, pretrained, saved

TEXTS = (
    "The girl was happy.",
    " The girl",
    "the boy  and\tHe\n",
    "女孩很高兴, É",
    "zzz",
    "The girl</s>",
    "",
)
SENTENCE = "The girl was happy."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("around", AROUND)
def test_a_text_is_read_by_the_tokenizers_own_rule(kind: str, around: str) -> None:
    tokenizer = fast(KINDS[kind](), around)
    before, after = ([tokenizer.convert_tokens_to_ids(t) for t in side] for side in AROUND[around])
    model = pretrained(tokenizer)
    assert model.start == before
    assert list(model.text_tokens.around.after) == after
    for text in TEXTS:
        own = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert model.encode(text).tolist() == before + own
        assert tokenizer(text)["input_ids"] == before + own + after
    bos = tokenizer.bos_token_id
    for choice, expected in ("yes", [bos]), ("no", []):
        chosen = model.with_bos(choice)
        assert chosen.start == expected
        own = tokenizer(SENTENCE, add_special_tokens=False)["input_ids"]
        assert chosen.encode(SENTENCE).tolist() == expected + own


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("around", AROUND)
def test_answers_are_read_at_the_last_token_of_the_text(kind: str, around: str) -> None:
    model = pretrained(fast(KINDS[kind](), around))
    given = PairTexts(SENTENCE, "The boy was happy.", (" She",), (" He",), None, 2, "p.csv, line 2")
    last = model.tokenizer("happy.", add_special_tokens=False)["input_ids"][-1]
    (group,) = encode_pairs([given], model)
    assert group.answer_positions == (group.clean.shape[1] - 1,)
    assert group.clean[0, -1] == group.corrupted[0, -1] == last
    labels = [model.label(int(side[0, 0, 0])) for side in (group.right, group.wrong)]
    assert [re.sub("▁|#", "", label.casefold()) for label in labels] == ["she", "he"]


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_the_text_that_tokens_spell(kind: str) -> None:
    tokenizer = fast(KINDS[kind]())
    labels = labels_of(tokenizer)
    assert labels.keys() == set(range(len(tokenizer)))
    assert len(set(labels.values())) == len(labels)
    assert all(label.isprintable() and " " not in label for label in labels.values())
    shown = "".join(labels[t] for t in tokenizer(SENTENCE)["input_ids"])
    lower = SENTENCE.lower() if kind == "word pieces" else SENTENCE
    assert re.sub("▁|##", "", shown) == lower.replace(" ", "")
    if kind.startswith("byte"):
        for text in (SENTENCE, "女孩 很\n\t高 兴 é😀\x07 zz"):
            shown = "".join(labels[t] for t in tokenizer(text)["input_ids"])
            assert spelled(shown).removeprefix(" ") == text


def spelled(shown: str) -> str:
    """The text of labels, by undoing what they show in place of what is unseen."""
    escaped = re.sub(r"\\x(..)|<(..)>", lambda found: f"%{found[1] or found[2]}", shown)
    plain = escaped.replace("▁", " ").replace("\\n", "\n").replace("\\t", "\t")
    parts = re.split("%(..)", plain)
    return b"".join(
        bytes([int(part, 16)]) if i % 2 else part.encode() for i, part in enumerate(parts)
    ).decode()


def bpe_of(*entries: str, **kind: Any) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE({entry: i for i, entry in enumerate(entries)}, []))
    tokenizer.decoder = kind.get("decoder")
    tokenizer.pre_tokenizer = kind.get("pre_tokenizer")
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    made.add_tokens(kind.get("added", []))
    return made


@pytest.mark.parametrize("side", ["decoder", "pre_tokenizer"])
def test_byte_level_letters_are_text(side: str) -> None:
    part = decoders.ByteLevel() if side == "decoder" else pre_tokenizers.ByteLevel()
    letters = "".join(pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("女")[0][0])
    entries = ("Ġgirl", "Ċ", letters, letters[:2], "Ġ" + letters[2], "ĠĠ", "ĉ", "Ń", "ģ", "\\n")
    tokenizer = bpe_of(*entries, **{side: part}, added=["  ", "日", "<a b>"])
    found = labels_of(tokenizer)
    assert [found[i] for i in range(13)] == [
        *("▁girl", "\\n", "女", "<E5><A5>", "▁<B3>", "▁▁", "\\t", "<AD>", "<81>", "\\n#9"),
        *("▁▁#10", "日", "<a▁b>"),
    ]


def test_entries_for_bytes_are_letters_where_nothing_else_is() -> None:
    decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    entries = ("<0x41>", "<0x0A>", "<0x09>", "<0xE5>", "<0x20>", "A", "\n", "▁a", "▁")
    found = labels_of(bpe_of(*entries, decoder=decoder))
    assert [found[i] for i in range(9)] == [
        *("<41>", "<0A>", "\\t", "<E5>", "<20>", "A", "\\n", "▁a", "▁"),
    ]
    assert labels_of(bpe_of("<0x41>", "<0x0A>"))[0] == "<0x41>"


def test_no_two_labels_are_alike() -> None:
    labels = labels_of(bpe_of("a#2", "a", "<a>", decoder=decoders.Replace(Regex("[<>]"), "")))
    assert [labels[i] for i in range(3)] == ["a#2", "a", "a#2#2"]


@pytest.mark.parametrize(
    ("decoder", "entry", "label"),
    [
        (decoders.Metaspace(replacement="_"), "_the_", "▁the▁"),
        (decoders.BPEDecoder(), "girl</w>", "girl▁"),
        (decoders.CTC(), "a|", "a▁"),
        (decoders.WordPiece(), "##ing", "##ing"),
        (None, " war", "▁war"),
        (None, "a\u200b\xa0\x1b", "a\\u200b\\xa0\\x1b"),
    ],
)
def test_labels_of_other_decoders(decoder: Any, entry: str, label: str) -> None:
    assert labels_of(bpe_of(entry, decoder=decoder))[0] == label


def test_a_tokenizer_in_python() -> None:
    tokens = TextTokens(ByT5Tokenizer(), "auto", 400)
    assert tokens.encode("a é") == (100, 35, 198, 172)
    assert [tokens.label(token) for token in (100, 35, 198, 172)] == ["a", "▁", "<C3>", "<A9>"]
    assert [tokens.label(token) for token in tokens.around.after] == [EOS]


def test_a_token_that_the_tokenizer_lacks_has_its_number() -> None:
    model = pretrained(fast(KINDS["bytes"]()), n_tokens=500)
    assert model.label(499) == "<#499>"


def test_tokens_that_the_model_lacks_are_refused() -> None:
    tokenizer = fast(KINDS["bytes"]())
    model = pretrained(tokenizer, n_tokens=len(tokenizer) - 1)
    last = tokenizer.decode([len(tokenizer) - 1])
    message = f"embeds, 0 to {len(tokenizer) - 2}, found {len(tokenizer) - 1} .* has more tokens"
    with pytest.raises(InputError, match=message):
        model.encode(last)
    assert len(model.encode("zz")) == 2


def test_words_that_a_tokenizer_cannot_read_are_refused() -> None:
    tokenizer = Tokenizer(models.WordLevel({"one": 0, "two": 1}, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = pretrained(PreTrainedTokenizerFast(tokenizer_object=tokenizer))
    assert model.encode("two one").tolist() == [1, 0]
    assert model.start == []
    with pytest.raises(InputError, match="cannot read the text 'two three': .*UNK"):
        model.encode("two three")


def test_nothing_is_cut_or_padded(tmp_path: Path) -> None:
    tokenizer = KINDS["words"]()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=8, pad_token=UNK)
    made = fast(tokenizer, "both")
    made.model_max_length = 4
    own = [made.convert_tokens_to_ids(word) for word in ("The", "girl", "was", "happy", ".")]
    expected = [made.bos_token_id, *own]
    assert pretrained(made).encode(SENTENCE).tolist() == expected
    assert load_pretrained(saved(made, tmp_path)).encode(SENTENCE).tolist() == expected


@pytest.mark.parametrize(
    ("around", "stated", "before", "after", "said"),
    [
        ("nothing", {"add_bos_token": True}, [BOS], [], "add_bos_token: true, .* puts none"),
        ("both", {"add_bos_token": False}, [], [EOS], "add_bos_token: false, .* puts one"),
        ("both", {"add_bos_token": True, "add_eos_token": False}, [BOS], [], None),
        ("bos", {"add_eos_token": True}, [BOS], [EOS], None),
        ("eos", {"add_bos_token": False}, [], [EOS], None),
    ],
)
def test_what_tokenizer_config_says_is_followed(
    tmp_path: Path,
    around: str,
    stated: dict[str, bool],
    before: list[str],
    after: list[str],
    said: str | None,
) -> None:
    folder = saved(fast(KINDS["bytes"](), around), tmp_path)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | stated))
    model = load_pretrained(folder)
    found = model.text_tokens.around
    assert [model.label(token) for token in found.before] == before
    assert [model.label(token) for token in found.after] == after
    assert len(found.notes) == (said is not None)
    assert said is None or re.search(said, found.notes[0])


def test_exactly_one_bos() -> None:
    model = pretrained(fast(KINDS["bytes"](), "bos"))
    bos, own = model.start, model.encode(SENTENCE).tolist()
    assert model.encode(BOS + SENTENCE).tolist() == bos + own
    for n in range(3):
        assert model.with_bos("yes").encode(BOS * n + SENTENCE).tolist() == own
        assert model.with_bos("no").encode(BOS * n + SENTENCE).tolist() == bos * n + own[1:]


def test_a_tokenizer_without_a_bos() -> None:
    tokenizer = KINDS["bytes"]()
    model = pretrained(PreTrainedTokenizerFast(tokenizer_object=tokenizer))
    assert model.with_bos("no").start == []
    with pytest.raises(UsageError, match="--bos yes: expected .* found that of made, which has"):
        model.with_bos("yes")
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token=BOS)
    assert pretrained(wrapped).with_bos("yes").start == [tokenizer.token_to_id(BOS)]


@pytest.mark.parametrize("unk", [BOS, EOS, UNK])
def test_a_token_that_begins_or_ends_texts_is_not_that_of_unknown_words(unk: str) -> None:
    """GPT-2 and many another give one token for all three."""
    tokenizer = fast(KINDS["words"]())
    tokenizer.unk_token = unk
    rule = TextTokens(tokenizer, "auto", len(tokenizer))
    assert rule.unk == (tokenizer.convert_tokens_to_ids(UNK) if unk == UNK else None)


def test_what_is_put_around_a_text_is_seen_where_it_can_only_stand_in_one_place() -> None:
    """The token before each text is that of the letter that is read first to see it."""
    words = {word: i for i, word in enumerate(("a", "the", "?"))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="a $A", special_tokens=[("a", 0)]
    )
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?")
    assert TextTokens(made, "auto", 3).around.before == (0,)


def test_tokens_of_a_text_are_kept() -> None:
    tokens = TextTokens(fast(KINDS["bytes"]()), "auto", 1000)
    assert tokens.encode(SENTENCE) == tokens.encode(SENTENCE)
    assert tokens._cached.cache_info().hits == 1
