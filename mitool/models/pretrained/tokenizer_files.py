"""The tokenizer of a Hugging Face folder: its own, whole, or none."""

import json
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from mitool.device import is_out_of_memory
from mitool.errors import InputError, said
from mitool.models import hub_files

PANIC = "PanicException"
"""What the tokenizers library raises where it meets what it does not expect; no ``Exception``."""

OLDER = ("tokenizer.model", "vocab.json with merges.txt", "vocab.txt")
"""The files of a tokenizer that was saved without the one of ``tokenizer.json``."""

MERGES = " vocab.json without merges.txt"

REMEDY = "save the tokenizer too, with tokenizer.save_pretrained()"


def read_tokenizer(folder: Path, config: PreTrainedConfig) -> PreTrainedTokenizerBase:
    """Read a folder's tokenizer.

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
    return tokenizer


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
