"""Small tokenizers that know the words of generated prompts, as GPT-2's knows them."""

import re
from types import SimpleNamespace

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from mitool.pairs.generated.ioi import TEMPLATES

NOUNS_KNOWN = ("war", "siege", "voyage")
NAMES_KNOWN = ("Mary", "John", "Tom", "Emma", "Paul", "Lucy")
OTHERS_KNOWN = ("park", "zoo", "ring", "drink")
KNOWN = (*NOUNS_KNOWN, *NAMES_KNOWN, *OTHERS_KNOWN)
CENTURIES, PAIRS_OF_DIGITS = [f"{c}" for c in range(11, 18)], [f"{y:02d}" for y in range(100)]


def merges(words: tuple[str, ...], *, spaced: bool) -> list[tuple[str, str]]:
    """What makes each word one token, from its first letter on."""
    found: dict[tuple[str, str], None] = {}
    for word in words:
        letters = ("Ġ" if spaced else "") + word
        found |= {(letters[:i], letters[i]): None for i in range(1, len(letters))}
    return list(found)


def byte_level(
    known: tuple[str, ...] = KNOWN,
    numbers: tuple[str, ...] = tuple(CENTURIES),
    pairs_of_digits: bool = True,
    years: tuple[str, ...] = ("1732", "1201"),
) -> Tokenizer:
    """Byte-level BPE as GPT-2's, which knows the words of the templates, and of the lists those
    that are given; the numbers behind a space, every two digits behind those, and whole years.
    """
    text = " ".join([*TEMPLATES, "The lasted from year"])
    frame = tuple(re.findall(r"[A-Za-z]+", re.sub(r"\{\w+\}", "", text)))
    ranked = merges((*frame, *known, *numbers), spaced=True)
    if pairs_of_digits:
        ranked += [(pair[0], pair[1]) for pair in PAIRS_OF_DIGITS]
    ranked += [(f"Ġ{year[:2]}", year[2:]) for year in years]
    ranked += merges(frame, spaced=False)
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in ranked)]
    numbered = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.BPE(vocab=numbered, merges=ranked))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def cut(pattern: str, words: tuple[str, ...]) -> Tokenizer:
    """Cuts a text where a pattern matches, and knows no words but those given and the years."""
    known = ("<unk>", "The", " war", "\n", *PAIRS_OF_DIGITS, *words)
    numbered = {word: i for i, word in enumerate(known)}
    tokenizer = Tokenizer(models.WordLevel(numbered, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    return tokenizer


class Fake:
    """A tokenizer that stands for a whole model."""

    separator = ""
    unk = None

    def __init__(self, tokenizer: Tokenizer) -> None:
        n = tokenizer.get_vocab_size()
        self.tokenizer = tokenizer
        self.shape = SimpleNamespace(n_ctx=64, d_vocab=n, d_vocab_out=n)

    def encode(self, text: str) -> Tensor:
        return torch.tensor(self.tokenizer.encode(text).ids)

    def label(self, token: int) -> str:
        return str(self.tokenizer.id_to_token(token)).replace("Ġ", "▁")
