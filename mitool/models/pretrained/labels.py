"""What the entries of a vocabulary spell, and how a reader is shown it."""

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tokenizers import Regex, decoders
from transformers import PreTrainedTokenizerBase

BYTE = re.compile("<0x([0-9A-Fa-f]{2})>")
"""An entry that stands for one byte, as SentencePiece writes it."""

SPACE, SPACE_SHOWN = " ", "\u2581"

FIRST_STAND_IN = 256
"""The letter that byte-level vocabularies write for the first byte that has no letter of its own;
those for the others follow it.
"""

Spell = Callable[[str], bytes]
Step = Callable[[str], str]


def labels_of(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    r"""How each token of a vocabulary is shown: by the text that it spells, no two of them alike.

    What an entry spells is what the tokenizer's own decoder makes of it. A space is shown as
    ``▁``, a line break as ``\n``, other letters that would not be seen by their escapes, and bytes
    that are only part of a letter as ``<E5><A5>``. Of entries that would be shown alike only the
    first is: an entry for a byte is then shown as ``<0A>``, any other with its number, ``a#7``.
    """
    added = {token: str(entry) for token, entry in tokenizer.added_tokens_decoder.items()}
    spell, has_bytes = _decoding(tokenizer)
    entries = {t: entry for entry, t in tokenizer.get_vocab().items() if t not in added}
    of_bytes = {t: entry for t, entry in entries.items() if has_bytes and BYTE.fullmatch(entry)}
    labels = _Labels()
    for token in sorted(entries.keys() - of_bytes):
        labels.put(token, shown(spell(entries[token])))
    for token, entry in sorted(of_bytes.items()):
        labels.put_byte(token, spell(entry))
    for token, entry in sorted(added.items()):
        labels.put(token, shown(_in_utf8(entry)))
    return labels.found


def shown(spelled: bytes) -> str:
    """Bytes as a reader sees them: as text where they are some, with nothing in it unseen."""
    text = spelled.decode("utf-8", "surrogateescape")
    if text.isprintable() and SPACE not in text:
        return text
    return "".join(map(_letter, text))


def _letter(letter: str) -> str:
    if letter == SPACE:
        return SPACE_SHOWN
    if "\udc80" <= letter <= "\udcff":  # a byte that is part of no letter
        return f"<{ord(letter) - 0xDC00:02X}>"
    return letter if letter.isprintable() else ascii(letter)[1:-1]


class _Labels:
    """Labels, of which no two are alike."""

    def __init__(self) -> None:
        self.found: dict[int, str] = {}
        self._taken: set[str] = set()

    def put(self, token: int, label: str) -> None:
        while label in self._taken:  # an entry may spell what another one is shown as
            label = f"{label}#{token}"
        self.found[token] = label
        self._taken.add(label)

    def put_byte(self, token: int, byte: bytes) -> None:
        """Show a byte as its letter where nothing else spells that; usual letters have entries."""
        label = shown(byte)
        if label in self._taken or chr(byte[0]).isprintable():
            label = f"<{byte[0]:02X}>"
        self.put(token, label)


def _decoding(tokenizer: PreTrainedTokenizerBase) -> tuple[Spell, bool]:
    """What turns an entry into what it spells, and whether some entries are for single bytes."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return _slow_decoding(tokenizer)
    part = backend.decoder or backend.pre_tokenizer
    specs = list(_flat(json.loads(part.__getstate__()))) if part is not None else []
    kinds = {spec["type"] for spec in specs}
    if "ByteLevel" in kinds:
        return partial(_of_letters, _byte_of_letter()), False
    steps = [step for spec in specs if (step := _step(spec)) is not None]
    has_bytes = "ByteFallback" in kinds
    return partial(_stepwise, steps, has_bytes), has_bytes


def _slow_decoding(tokenizer: PreTrainedTokenizerBase) -> tuple[Spell, bool]:
    """The same for a tokenizer that is written in Python."""
    letters = getattr(tokenizer, "byte_decoder", None)
    if letters:
        return partial(_of_letters, letters), False
    if hasattr(tokenizer, "sp_model"):
        return partial(_stepwise, [lambda entry: entry.replace(SPACE_SHOWN, SPACE)], True), True
    return partial(_of_python, tokenizer), False


def _of_python(tokenizer: PreTrainedTokenizerBase, entry: str) -> bytes:
    """What an entry spells; one that the tokenizer makes no letters of has a letter for each byte,
    as ByT5's do.
    """
    text = tokenizer.convert_tokens_to_string([entry])
    if (not text or "\ufffd" in text) and all(ord(letter) < 256 for letter in entry):
        return entry.encode("latin-1")
    return _in_utf8(entry)


def _flat(spec: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The parts of a decoder or pre-tokenizer, one after the other."""
    parts = spec.get("decoders") or spec.get("pretokenizers")
    return (part for inner in parts for part in _flat(inner)) if parts else (spec,)


def _step(spec: dict[str, Any]) -> Step | None:
    """What a part of a decoder does to an entry inside a text; None for nothing."""
    match spec:
        case {"type": "Replace", "pattern": {"String": old}, "content": new}:
            return lambda entry: entry.replace(old, new)
        case {"type": "Replace", "pattern": {"Regex": pattern}, "content": new}:
            decoder = decoders.Replace(Regex(pattern), new)
            return lambda entry: decoder.decode([entry])
        case {"type": "Metaspace", "replacement": mark} | {
            "type": "CTC",
            "word_delimiter_token": mark,
        }:
            return lambda entry: entry.replace(mark, SPACE)
        case {"type": "BPEDecoder", "suffix": suffix} if suffix:
            return lambda entry: entry.replace(suffix, SPACE)
    return None


def _stepwise(steps: Iterable[Step], has_bytes: bool, entry: str) -> bytes:
    if has_bytes and (byte := BYTE.fullmatch(entry)):
        return bytes([int(byte[1], 16)])
    for step in steps:
        entry = step(entry)
    return _in_utf8(entry)


def _of_letters(letters: dict[str, int], entry: str) -> bytes:
    """What letters that stand for bytes spell; an entry with another letter is text as it is."""
    try:
        return bytes([letters[letter] for letter in entry])
    except KeyError:
        return _in_utf8(entry)


def _byte_of_letter() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for.

    Bytes that are printed in Latin-1 are their own letters; the others, in order, have those from
    ``FIRST_STAND_IN`` on.
    """
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), 256)]
    others = [byte for byte in range(256) if byte not in own]
    stand_ins = {chr(FIRST_STAND_IN + i): byte for i, byte in enumerate(others)}
    return {chr(byte): byte for byte in own} | stand_ins


def _in_utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
