"""The files of a Hugging Face folder, by whose names one is known; nothing slow is loaded here."""

import contextlib
import json
from pathlib import Path
from typing import Any

from mitool.core.errors import InputError, said
from mitool.storage import atomic, layout

CONFIG = "config.json"
"""What a model is: its architecture and sizes."""

WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""The weights, in the order in which transformers looks for them; an index names several files."""

ADAPTER_CONFIG = "adapter_config.json"
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
"""An adapter of peft's: changes to a model that is elsewhere, or beside it."""

OTHER_FRAMEWORKS = ("tf_model.h5", "flax_model.msgpack", "model.onnx", "pytorch_model.pt")
GGUF = "*.gguf"
"""Weights that are not read."""

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
VOCABULARIES = (
    TOKENIZER,
    *("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt"),
    *("tekken.json", "vocab.bpe", "*.tiktoken"),
)
"""Any one of them holds the tokens of a tokenizer."""

NAMED = (CONFIG, *WEIGHTS, *ADAPTERS, ADAPTER_CONFIG, TOKENIZER, TOKENIZER_CONFIG)
"""Names of files that are given for the folder that they are in."""

POINTER = b"version https://git-lfs.github.com/spec/"
LONGEST_POINTER = 1024
"""How a file begins that git leaves in the place of a large one, and its bytes at most."""


def is_hugging_face(folder: Path) -> bool:
    """Whether a folder is to be read as a Hugging Face model, whole or damaged.

    A run of mitool has a ``config.json`` too, which is told by what it holds.
    """
    try:
        if not folder.is_dir():
            return False
        config = _config_of(folder)
        if (folder / layout.CHECKPOINT).exists():
            return config is not None and "model_type" in config
        if config is None and (folder / CONFIG).exists():
            return True
        names = (*WEIGHTS, *ADAPTERS, ADAPTER_CONFIG, *OTHER_FRAMEWORKS, GGUF, *VOCABULARIES)
        return _is_foreign(config) or any(True for name in names for _ in folder.glob(name))
    except OSError:
        return False


def read_json(path: Path, expected: str) -> Any:
    """A JSON document of a folder; Python's ``Infinity`` and ``NaN`` may stand in it.

    Args:
        expected: what it is to be, for messages.

    Raises:
        InputError: it cannot be read, is no JSON, or only points to a large file.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: expected {expected}, found a folder, pipe or device")
    if is_pointer(path):
        raise InputError(pointer_message(path))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from failure
    except (ValueError, RecursionError) as failure:
        raise InputError(
            f"{path}: expected {expected}; found: {said(failure)}; restore the file"
        ) from failure


def is_pointer(path: Path) -> bool:
    """Whether a file only says which large file is to be had in its place by ``git lfs pull``."""
    try:
        if path.stat().st_size > LONGEST_POINTER:
            return False
        with path.open("rb") as file:
            return file.read(len(POINTER)) == POINTER
    except OSError:
        return False


def pointer_message(path: Path) -> str:
    """What is said of a file of which ``is_pointer`` is true."""
    return (
        f"{path}: expected the file itself, found a Git LFS pointer to it; run `git lfs pull` in "
        "the folder, or download the file"
    )


def other_message(folder: Path) -> str:
    """What is said of a Hugging Face folder where a checkpoint is wanted."""
    return (
        f"{folder}: expected a checkpoint or a run of mitool, found a Hugging Face model; `mitool "
        "patch`, `analyze attn` and `analyze circuit` look at it"
    )


def require_no_other(path: Path) -> None:
    """Tell of what looks like a model and is none, in its own words.

    Raises:
        InputError: the path is such a thing.
    """
    with contextlib.suppress(OSError):  # as of a path that is too long: load says so
        if path.is_dir() and not any(path.iterdir()):
            raise InputError(
                f"{path}: expected a run directory or the folder of a Hugging Face model, found an "
                "empty folder"
            )
    if path.suffix == ".gguf":
        raise InputError(
            f"{path}: expected a checkpoint, or the folder of a Hugging Face model, found "
            "quantised weights (GGUF); give the model that they were made from"
        )
    if path.name in NAMED and is_hugging_face(path.parent):
        raise InputError(
            f"{path}: expected a checkpoint of mitool, found a file of a Hugging Face model; give "
            f"its folder, {path.parent}"
        )


def _config_of(folder: Path) -> dict[str, object] | None:
    try:
        return atomic.read_json(folder / CONFIG)
    except InputError:
        return None


def _is_foreign(config: dict[str, object] | None) -> bool:
    """Whether a configuration is there and none that mitool wrote."""
    if config is None:
        return False
    own = (keys for name, keys in layout.RECORDS if name == CONFIG)
    return "model_type" in config or not any(keys <= config.keys() for keys in own)
