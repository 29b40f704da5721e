"""The tokenizer of a Hugging Face folder: its own, whole, or none."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import (
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from mitool.core.errors import InputError, said
from mitool.core.memory import is_out_of_memory
from mitool.models import hub_files

PANIC = "PanicException"
"""What the tokenizers library raises where it meets what it does not expect; no ``Exception``."""

OLDER = ("tokenizer.model", "vocab.json with merges.txt", "vocab.txt")
"""The files of a tokenizer that was saved without the one of ``tokenizer.json``."""

MERGES = " vocab.json without merges.txt"

COMPARED = (
    "The quick brown fox, in 1999; it's  12,345!",
    " a\tb\n\nC",
    "\u00fcber \u5973\u5b69 \U0001f600",
)
MOST_COMPARED = 64
"""Texts on which two tokenizers are compared, and how many tokens' own besides."""

REMEDY = "save the tokenizer too, with tokenizer.save_pretrained()"


def read_tokenizer(
    folder: Path, config: PreTrainedConfig
) -> tuple[PreTrainedTokenizerBase, list[str]]:
    """Read a folder's tokenizer, with what a user is to know of it.

    Where there is a ``tokenizer.json`` it is that tokenizer, as it is written there: transformers 5
    takes its vocabulary alone for some types of models (Qwen 2), and splits texts by a rule that it
    knows for the type.

    Args:
        folder: with its files.
        config: of the model, whose type decides where those files do not.

    Raises:
        InputError: it has none, or one that is damaged, incomplete or brings code of its own.
    """
    _require_files(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder), config=config, trust_remote_code=False, local_files_only=True
        )
        _read(tokenizer, COMPARED)  # some settings are first looked at with a text
    except BaseException as failure:  # each tokenizer fails in its own way
        is_panic = type(failure).__name__ == PANIC
        if not (is_panic or isinstance(failure, Exception)) or _is_out_of_memory(failure):
            raise
        lacks = MERGES if _lacks_merges(folder) else ""
        raise InputError(
            f"{folder}: expected a tokenizer that transformers reads; found{lacks}: "
            f"{said(failure)}; restore its files, or {REMEDY}"
        ) from failure
    _require_complete(folder, tokenizer)
    own = _as_written(folder)
    if own is None or _agree(tokenizer, own):
        return tokenizer, []
    names = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    fast: Any = PreTrainedTokenizerFast
    written: PreTrainedTokenizerBase = fast(tokenizer_object=own, **names)
    written.name_or_path = tokenizer.name_or_path
    return written, [
        f"transformers reads {hub_files.TOKENIZER} as a {type(tokenizer).__name__}, which splits "
        "texts in another way: it is used as it is written"
    ]


def _as_written(folder: Path) -> Tokenizer | None:
    """The tokenizer of ``tokenizer.json``; None where there is none that can be read alone."""
    try:
        return Tokenizer.from_file(str(folder / hub_files.TOKENIZER))
    except Exception:  # the library has no other kind; transformers has read the folder without it
        return None


def _agree(tokenizer: PreTrainedTokenizerBase, own: Tokenizer) -> bool:
    """Whether two tokenizers read texts alike: some, and what tokens of the vocabulary spell."""
    own.no_padding()
    own.no_truncation()
    step = max(1, own.get_vocab_size() // MOST_COMPARED)
    spelled = [own.decode([token]) for token in range(0, own.get_vocab_size(), step)]
    texts = [*COMPARED, " ".join(spelled), *spelled[:MOST_COMPARED]]
    read = _read(tokenizer, texts)
    written = own.encode_batch(texts, add_special_tokens=False)
    return all(ids == one.ids for ids, one in zip(read, written, strict=True))


def _read(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    plain = {"add_special_tokens": False, "padding": False, "truncation": False}
    return tokenizer(list(texts), **plain)["input_ids"]


def _is_out_of_memory(failure: BaseException) -> bool:
    return isinstance(failure, Exception) and is_out_of_memory(failure)


def _require_files(folder: Path) -> None:
    """Check for files of a tokenizer before transformers makes one up.

    Raises:
        InputError: there are none, or pointers in their place.
    """
    found = [path for name in hub_files.VOCABULARIES for path in folder.glob(name)]
    settings = folder / hub_files.TOKENIZER_CONFIG
    for path in (*found, settings):
        if hub_files.is_pointer(path):
            raise InputError(hub_files.pointer_message(path))
    if found:
        return
    if _needs_no_files(settings):
        return
    beside = f"{settings.name} alone" if settings.exists() else "none"
    raise InputError(
        f"{folder}: expected a tokenizer ({hub_files.TOKENIZER}, or {', '.join(OLDER)}), found "
        f"{beside}; {REMEDY}"
    )


def _lacks_merges(folder: Path) -> bool:
    names = (hub_files.TOKENIZER, "merges.txt")
    return (folder / "vocab.json").exists() and not any((folder / name).exists() for name in names)


def _needs_no_files(settings: Path) -> bool:
    """Whether the tokenizer's tokens are bytes or letters, which are listed nowhere."""
    try:
        name = json.loads(settings.read_text(encoding="utf-8")).get("tokenizer_class")
    except (OSError, ValueError, RecursionError, AttributeError):
        return False
    return name in ("ByT5Tokenizer", "PerceiverTokenizer", "CanineTokenizer")


def _require_complete(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that no file was missing in whose place transformers took nothing.

    Raises:
        InputError: one was.
    """
    needed = dict(type(tokenizer).vocab_files_names)
    whole = needed.pop("tokenizer_file", hub_files.TOKENIZER)
    if (folder / hub_files.TOKENIZER).exists() or (folder / whole).exists():
        return
    if missing := [name for name in needed.values() if not (folder / name).exists()]:
        raise InputError(
            f"{folder}: expected {hub_files.TOKENIZER}, or {' and '.join(needed.values())}, for a "
            f"{type(tokenizer).__name__}; found no {' and no '.join(missing)}; {REMEDY}"
        )
