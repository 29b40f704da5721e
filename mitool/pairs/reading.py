"""How a pretrained model reads its texts, and what a user is to know of that."""

import unicodedata
from collections.abc import Sequence, Sized
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeGuard

from jaxtyping import Int
from torch import Tensor

from mitool.core.errors import quoted
from mitool.pairs.files import MOST_SHOWN, PairTexts
from mitool.pairs.tokens import Reader, after_text, answers_of, clean_of, side_of

if TYPE_CHECKING:  # it takes seconds to load
    from mitool.models.pretrained import Pretrained

OPENING = "([{<\"'`\u00ab\u201c\u2018\u00bf\u00a1-\u2013\u2014/\\=_@#$+*|"
"""Letters after which a word starts without a space."""


@dataclass(frozen=True)
class Reading:
    """How texts are read; of a toy, whose tokens are all its own, there is nothing to say.

    Attributes:
        before: labels of the special tokens that are put before each text.
        first_prompt: labels of the tokens of the first text, with those.
        warnings: what a user is to know, each a sentence.
    """

    before: tuple[str, ...] = ()
    first_prompt: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        """The record for a result."""
        if not self.first_prompt:
            return {}
        return {
            # what a tokenizer puts after a text is left off
            "special_tokens": {"before": list(self.before), "after": []},
            "first_prompt": list(self.first_prompt),
        }


def reading_of_pairs(
    model: Reader, pairs: Sequence[PairTexts] | None, sides: Sequence[str] = ("clean", "corrupted")
) -> Reading:
    """How a model reads a file's pairs.

    Args:
        pairs: some that ``mitool.pairs.prompt_pairs.encode_pairs`` takes.
        sides: the texts of a pair that are read.
    """
    if pairs is None or not _reads_texts(model):
        return Reading()
    texts = [(getattr(pair, side), side_of(model, pair, side)) for pair in pairs for side in sides]
    found = [*_of_texts(model, texts), *_of_answers(model, pairs)]
    read = _reading(model, clean_of(model, pairs[0]), found)
    return read if any(isinstance(text, str) for text, _ in texts) else replace(read, before=())


def reading_of_texts(model: Reader, texts: Sequence[str]) -> Reading:
    """How a model reads texts; at least one."""
    if not _reads_texts(model):
        return Reading()
    encoded = [(text, model.encode(text)) for text in texts]
    return _reading(model, encoded[0][1], _of_texts(model, encoded))


def reading_of_tokens(model: Reader, tokens: Int[Tensor, " pos"]) -> Reading:
    """How a model reads tokens that were drawn for it, where they are the first of several."""
    if not _reads_texts(model):
        return Reading()
    return _reading(model, tokens, [])


def _reads_texts(model: Reader) -> TypeGuard["Pretrained"]:
    """Whether a model has a tokenizer; a toy reads the names of its tokens."""
    return hasattr(type(model), "text_tokens")


def _reading(model: "Pretrained", first: Int[Tensor, " pos"], found: Sequence[str]) -> Reading:
    around = model.text_tokens.around
    return Reading(
        before=tuple(map(model.label, around.before)),
        first_prompt=tuple(map(model.label, first.tolist())),
        warnings=(*around.notes, *found),
    )


def _of_texts(
    model: "Pretrained", texts: Sequence[tuple[str | tuple[int, ...], Int[Tensor, " pos"]]]
) -> list[str]:
    """What is to be known of texts, each with its tokens."""
    rule = model.text_tokens
    encoded = [tokens.tolist() for text, tokens in texts if isinstance(text, str)]
    given = [tokens.tolist() for text, tokens in texts if not isinstance(text, str)]
    n_before, bos, special = len(rule.around.before), rule.bos_id, rule.special - {rule.unk}
    found = []
    if encoded and rule.around.after:
        after = _labels(model, rule.around.after)
        found.append(
            f"the tokenizer puts {after} after a text: it is left off, and the answer is read at "
            "the last token of the text itself"
        )
    if bos is not None and (n := sum(tokens[:2] == [bos, bos] for tokens in encoded)):
        found.append(
            f"{_of(n, encoded)} with {model.label(bos)} twice: one is the text's own, and one is "
            "put before it; take it out of the text, or choose --bos no"
        )
    if n := sum(tokens[-1] in special for tokens in encoded):
        found.append(
            f"{_of(n, encoded, 'end')} with a special token of their own, at which the answer is "
            "read; take it out of the text"
        )
    if n := sum(rule.unk in tokens for tokens in encoded):
        assert rule.unk is not None, "it stands in a text"
        found.append(
            f"{_of(n, encoded, 'have')} words that the tokenizer does not know, and in whose place "
            f"it puts {model.label(rule.unk)}"
        )
    found += _changed(model, texts)
    before = list(rule.around.before)
    if given and before and (n := sum(tokens[:n_before] != before for tokens in given)):
        found.append(
            f"{_of(n, given, 'are', 'inputs')} given as tokens without "
            f"{_labels(model, before)}, which stands before a text, and read as they are"
        )
    return found


def _changed(
    model: "Pretrained", texts: Sequence[tuple[str | tuple[int, ...], Int[Tensor, " pos"]]]
) -> list[str]:
    """Texts of which a tokenizer drops or exchanges letters, and says so by no token."""
    encoded = {text: model.text_tokens.alone(text) for text, _ in texts if isinstance(text, str)}
    read = {
        text: str(model.tokenizer.decode(list(tokens)))
        for text, tokens in encoded.items()
        if model.unk not in tokens
    }
    changed = [
        (text, as_read) for text, as_read in read.items() if _letters(text) != _letters(as_read)
    ]
    if not changed:
        return []
    text, as_read = (quoted(side) for side in changed[0])
    return [
        f"{_of(len(changed), encoded, 'have', 'different texts')} letters that the tokenizer "
        f"drops or exchanges, such as {text}, which it reads as {as_read}"
    ]


def _letters(text: str) -> str:
    """The letters and digits of a text, without capitals and accents."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in apart if letter.isalnum())


def _of_answers(model: "Pretrained", pairs: Sequence[PairTexts]) -> list[str]:
    """What is to be known of answers."""
    special = model.text_tokens.special
    n_special = n_other = 0
    first = example = ""
    for pair in pairs:
        tokens = {token for side in answers_of(model, pair) for token in side}
        if taken := tokens & special:
            n_special += 1
            first = first or model.label(min(taken))
        others = [
            other
            for answer in (*pair.correct, *pair.incorrect)
            if (other := _spaced(model, pair, answer))
        ]
        n_other += bool(others)
        example = example or next(iter(others), "")
    found = []
    if n_special:
        found.append(
            f"{_of(n_special, pairs, 'have', 'pairs')} an answer that is a special token and "
            f"stands for no text, such as {first}"
        )
    if n_other:
        found.append(
            f"{_of(n_other, pairs, 'have', 'pairs')} answers that would be another token with a "
            f"space before them, such as {example}; write the space if it belongs to the answer"
        )
    return found


def _spaced(model: "Pretrained", pair: PairTexts, answer: int | str) -> str | None:
    """An answer beside the one that it would be with a space before it; None where there is none
    such, or no space is to be expected.
    """
    if not isinstance(answer, str) or not isinstance(pair.clean, str) or not answer[0].isalnum():
        return None
    last = pair.clean[-1]
    if last.isspace() or last in OPENING or (last.isdigit() and answer[0].isdigit()):
        return None
    own, other = (after_text(model, pair, text) for text in (answer, f" {answer}"))
    if own is None or other is None or len(other) != 1 or int(other[0]) == int(own[0]):
        return None
    if int(other[0]) == model.unk:
        return None
    without, with_space = (
        f"token {int(after[0])} (`{model.label(int(after[0]))}`)" for after in (own, other)
    )
    return f"{answer[:MOST_SHOWN]!r}, which is {without} and would be {with_space}"


def _labels(model: "Pretrained", tokens: Sequence[int]) -> str:
    return " ".join(map(model.label, tokens))


def _of(n: int, all_of: Sized, verb: str = "begin", noun: str = "texts") -> str:
    return f"{n:,} of {len(all_of):,} {noun} {verb}"
