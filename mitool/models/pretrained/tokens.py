"""How a pretrained model's texts become tokens: its tokenizer's own rule, or another that is asked
for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from transformers import PreTrainedTokenizerBase
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from mitool.core.errors import InputError, quoted, said
from mitool.models.bridge import silenced
from mitool.models.pretrained.labels import labels_of
from mitool.settings import Bos

PROBES = ("a", "the", "A", "0", ".")
"""Texts of which one is read, to see what is put around it; after them tokens of the vocabulary."""

FOLLOWED = "before a text: the former is followed, and --bos says otherwise"

MOST_PROBES = 1000
MOST_CACHED = 65_536
"""Texts whose tokens are kept: a text comes again with each of its answers."""


@dataclass(frozen=True)
class Around:
    """The special tokens that a tokenizer puts around a text.

    Attributes:
        before: in front of it.
        after: at its end.
        notes: what a user is to know of that, each a sentence.
    """

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextTokens:
    """What a tokenizer makes of texts that a causal model is studied on.

    Tokens that a tokenizer puts after a text are left off, as the answer is read at the last
    token of the text itself, which does not depend on what follows.

    Attributes:
        tokenizer: of the model.
        bos: whether a text starts with the tokenizer's BOS: by its own rule, or always, or never.
        d_vocab: the number of tokens that the model embeds.
    """

    tokenizer: PreTrainedTokenizerBase
    bos: Bos
    d_vocab: int

    @cached_property
    def around(self) -> Around:
        """What is put around each text; of it ``before`` is read, and ``after`` left off.

        Raises:
            InputError: the tokenizer reads no text.
        """
        own = _stated(self.tokenizer, _probed(self.tokenizer))
        if self.bos == "auto":
            return own
        bos = self.bos_id
        others = tuple(token for token in own.before if token != bos)
        if self.bos == "no":
            return Around(others, own.after)
        assert bos is not None, "a tokenizer without one is refused"
        return Around((bos, *others), own.after)

    @property
    def bos_id(self) -> int | None:
        """The token that begins a sequence: the BOS, or the [CLS] of a tokenizer without one."""
        bos = self.tokenizer.bos_token_id
        return self.tokenizer.cls_token_id if bos is None else bos

    @cached_property
    def special(self) -> frozenset[int]:
        """The tokens that stand for no text."""
        return frozenset(self.tokenizer.all_special_ids)

    @cached_property
    def unk(self) -> int | None:
        """The token of all words that the tokenizer does not know, if it has one of its own."""
        unk = self.tokenizer.unk_token_id
        others = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        return None if unk in others else unk

    def encode(self, text: str) -> tuple[int, ...]:
        """What is put before a text, and its tokens.

        Raises:
            InputError: the tokenizer cannot read it, or has tokens that the model has not.
        """
        own = self.alone(text)
        if self.bos == "yes":
            own = own[_n_leading(own, self.bos_id) :]
        return self.around.before + own

    def alone(self, text: str) -> tuple[int, ...]:
        """The tokens of a text with nothing put around it; errors are those of ``encode``."""
        return self._cached(text)

    def label(self, token: int) -> str:
        """A token as a reader sees it; one that the tokenizer lacks by its number."""
        return self._labels.get(token, f"<#{token}>")

    @cached_property
    def _labels(self) -> dict[int, str]:
        return labels_of(self.tokenizer)

    @cached_property
    def _cached(self) -> Any:
        return lru_cache(MOST_CACHED)(self._checked)

    def _checked(self, text: str) -> tuple[int, ...]:
        """The tokens of a text alone, each of which the model embeds."""
        tokens = _alone(self.tokenizer, text)
        for token in (*self.around.before, *tokens):
            if token >= self.d_vocab:
                raise InputError(
                    f"expected tokens that the model embeds, 0 to {self.d_vocab - 1}, found "
                    f"{token} (`{self.label(token)}`) for the text {quoted(text)}: the tokenizer "
                    "has more tokens than the model; give the model its own tokenizer"
                )
        return tokens


def _n_leading(tokens: tuple[int, ...], token: int | None) -> int:
    return next((i for i, found in enumerate(tokens) if found != token), len(tokens))


def _alone(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    """The tokens of a text with nothing put around it, neither cut nor padded."""
    return _read(tokenizer, text, add_special_tokens=False)


def _read(
    tokenizer: PreTrainedTokenizerBase, text: str, *, add_special_tokens: bool
) -> tuple[int, ...]:
    try:
        read = tokenizer(
            text,
            add_special_tokens=add_special_tokens,
            padding=False,
            truncation=False,
            verbose=False,
        )
    except Exception as failure:  # what tokenizers raises where a word is unknown is no other kind
        raise InputError(
            f"the tokenizer cannot read the text {quoted(text)}: {said(failure)}; exchange its "
            "words"
        ) from failure
    return tuple(read["input_ids"])


def _probed(tokenizer: PreTrainedTokenizerBase) -> Around:
    """What the tokenizer puts around a text, seen on one that has tokens of its own.

    Raises:
        InputError: there is no such text, or what is put around it depends on it.
    """
    for text in _probes(tokenizer):
        try:
            own = _alone(tokenizer, text)
        except InputError:
            continue
        whole = _read(tokenizer, text, add_special_tokens=True)
        n = len(own)
        places = [i for i in range(len(whole) - n + 1) if whole[i : i + n] == own]
        if own and len(places) == 1:
            return Around(whole[: places[0]], whole[places[0] + n :])
    raise InputError(
        "expected a tokenizer that puts special tokens around a text, if any, and else reads it as "
        "it is, found none such; give the model's own tokenizer"
    )


def _probes(tokenizer: PreTrainedTokenizerBase) -> Iterator[str]:
    yield from PROBES
    special = set(tokenizer.all_special_ids)
    for token in range(min(len(tokenizer), MOST_PROBES)):
        if token not in special and (text := str(tokenizer.decode([token]))).strip():
            yield text


def _stated(tokenizer: PreTrainedTokenizerBase, own: Around) -> Around:
    """What is put around a text where ``tokenizer_config.json`` says whether a BOS and an EOS are.

    Transformers 5 does not read that where there is a ``tokenizer.json``, whose own template it
    follows; the versions before did, and what they wrote means it.
    """
    said = _config_of(tokenizer)
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    before, note = own.before, None
    match said.get("add_bos_token"):
        case True if bos is not None and bos not in before:
            before, note = (bos, *before), "add_bos_token: true, and tokenizer.json puts none"
        case False if bos is not None and bos in before:
            before = tuple(token for token in before if token != bos)
            note = "add_bos_token: false, and tokenizer.json puts one"
    after = own.after
    match said.get("add_eos_token"):
        case True if eos is not None and eos not in after:
            after = (*after, eos)
        case False:
            after = tuple(token for token in after if token != eos)
    notes = () if note is None else (f"tokenizer_config.json says {note} {FOLLOWED}",)
    return Around(before, after, notes)


def _config_of(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """What ``tokenizer_config.json`` says; nothing where there is none."""
    if not tokenizer.name_or_path:
        return {}
    try:
        with silenced():
            return get_tokenizer_config(tokenizer.name_or_path, local_files_only=True)
    except (OSError, ValueError):
        return {}
