"""Files of weights that others wrote: state dicts saved by torch or as safetensors.

A pickle is read with ``weights_only=True`` or not at all: it could run code.
"""

import math
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from mitool.core.device import HOST
from mitool.core.errors import InputError, UsageError, about
from mitool.storage import checkpoint
from mitool.storage.state_nests import REMEDY, found_in

CONFIGS = ("cfg", "config", "model_config")
HYPER_PARAMETERS = "hyper_parameters"
"""What Lightning saves of a module's arguments beside its weights."""

STATED = (
    "n_heads",
    "act_fn",
    "attention_dir",
    "normalization_type",
    "positional_embedding_type",
    "gated_mlp",
)
"""The arguments that are settings of a model where they have TransformerLens's names. Others,
such as ``eps``, may be an optimiser's.
"""

LOSSES = ("train_losses", "test_losses")
LONGEST_REASON = 200
CLASS = re.compile(r"<class '([\w.]+)'>")
"""How a reason names a type."""

TORCH_STARTS = (b"PK", b"\x80")
"""What files that torch saved start with: a zip archive, and before that a pickle."""

IN_WORDS = (RuntimeError, UnpicklingError)
"""What torch raises with a reason for a reader; the rest is what Python met in a damaged file."""

BEYOND_TENSORS = ("nsupported global", "nsupported GLOBAL", "Unsupported class", "Can only")
"""What torch says of a pickle that would call or build something else."""

EXPECTED = "a state dict"
EXTRACT = (
    "; where you trust the file, torch.save(torch.load(FILE, weights_only=False)['state_dict'], "
    "NEW) saves those of a checkpoint of Lightning's alone, or name its own key"
)
"""How to come by the weights of a file that is refused."""

GIVE = "give the file that torch or safetensors saved"


@dataclass(frozen=True)
class StateFile:
    """A state dict and what its file says beside it.

    Attributes:
        weights: the tensors by their names in the file, in host memory.
        config: the model's configuration in TransformerLens's names; empty where there is none.
        arguments: those of the Lightning module, such as are settings in TransformerLens's names:
            hints, as they may be of anything.
        losses: the last value of each recorded history, ``train_loss`` and ``test_loss``.
        settings: the settings of the toy transformer, in a file that mitool wrote.
        notes: which of several state dicts it is, and what was taken from where.
    """

    weights: Mapping[str, Tensor]
    config: Mapping[str, object] = field(default_factory=dict)
    arguments: Mapping[str, object] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read(path: Path, index: int | None = None, *, has_index: bool = True) -> StateFile:
    """Read a state dict, alone or nested beside other things.

    Args:
        index: which of several state dicts, as of a training's steps; negative from the last.
        has_index: whether the reader of a message can say which.

    Raises:
        InputError: the file is missing, damaged, refused, or holds something else; or it holds
            several state dicts, and ``index`` is None.
        UsageError: ``index`` is beyond them, or there is one only.
    """
    require_file(path)
    with path.open("rb") as file:
        start = file.read(9)
    if not start:
        raise InputError(f"{path}: expected a state dict, found an empty file")
    # what the file starts with decides, and its name only where that says nothing
    is_torch = start.startswith(TORCH_STARTS)
    is_safetensors = not is_torch and (path.suffix == ".safetensors" or start[8:9] == b"{")
    if is_safetensors and index is not None:
        raise UsageError(
            f"--index: found {index}, but {path} is a file of safetensors, which holds one state "
            "dict; leave it out"
        )
    found = (
        _from_safetensors(path)
        if is_safetensors
        else _from_pickle(path, index, has_index=has_index)
    )
    size = path.stat().st_size
    for name, weight in found.weights.items():
        require_plain(f"{path}: {name}", weight, size)
    return found


def require_file(path: Path, expected: str = f"a file with {EXPECTED}", remedy: str = GIVE) -> None:
    """Check that there is a file to read.

    Args:
        expected: what it is to be, for messages.
        remedy: what to do where it is not there.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    try:
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "a pipe or device" if path.exists() else ""
            found = f"expected {expected}, found {kind}" if kind else "no such file"
            raise InputError(f"{path}: {found}; {remedy}")
        with path.open("rb") as file:
            file.read(1)
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None


def _from_safetensors(path: Path) -> StateFile:
    tensors, header = checkpoint.read_safetensors(path)
    if checkpoint.KEY not in header:
        return StateFile(tensors)
    record = checkpoint.unsealed(path, tensors, header[checkpoint.KEY])
    model = record.get("model")
    if record.get("kind") != checkpoint.BRIDGE or not isinstance(model, dict):
        raise InputError(
            f"{path}: expected another library's weights, found a file of mitool's own, of kind "
            f"{str(record.get('kind'))[:40]!r}; use it as it is, or convert a checkpoint with "
            "--to bridge"
        )
    parts = {name: model.get(name) for name in ("bridge", "transformer")}
    config, settings = (part if isinstance(part, dict) else {} for part in parts.values())
    return StateFile(tensors, config, settings=settings)


def load_pickle(path: Path, expected: str, remedy: str) -> Any:
    """What torch saved, of tensors and plain values alone.

    Args:
        expected: what it is to be, and ``remedy`` how to come by one, for messages.

    Raises:
        InputError: the file is damaged, of another kind, or would run code.
    """
    _require_stored(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch has to say of old formats
            with path.open("rb") as file:  # torch would go by the path's ending
                return torch.load(file, map_location=HOST, weights_only=True)
    except Exception as failure:  # a damaged pickle makes torch raise anything
        raise InputError(f"{path}: {_refusal(failure, expected, remedy)}") from None


def _require_stored(path: Path) -> None:
    """Check that an archive holds no more than its size, as torch writes it: a small one could be
    unpacked to gigabytes.

    Raises:
        InputError: it does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            n_bytes = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # it is no archive, or a damaged one, as torch will say
        return
    if n_bytes > path.stat().st_size:
        raise InputError(
            f"{path}: refused: it is a compressed archive, which torch does not write; save it "
            "again with torch.save"
        )


def _from_pickle(path: Path, index: int | None, *, has_index: bool) -> StateFile:
    held = load_pickle(path, EXPECTED, REMEDY + EXTRACT)
    with about(path):
        nested = found_in(held, index, has_index=has_index)
    weights = {name: weight.detach() for name, weight in nested.weights.items()}
    losses = {} if nested.is_of_series else _last_losses(nested.beside)
    config, arguments = _config(nested.beside)
    return StateFile(weights, config, arguments, losses, notes=nested.notes)


def _config(
    beside: Sequence[Mapping[Any, Any]],
) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """The model's configuration, or else a module's arguments, which lie nearest to the weights."""
    for level in beside:
        for name in CONFIGS:
            if isinstance(found := level.get(name), dict):
                return found, {}
        arguments = level.get(HYPER_PARAMETERS)
        for inner in (*CONFIGS, "model"):
            if isinstance(arguments, dict) and isinstance(arguments.get(inner), dict):
                arguments = arguments[inner]
        if isinstance(arguments, dict) and (stated := _stated(arguments)):
            return {}, stated
    return {}, {}


def _stated(arguments: Mapping[Any, Any]) -> dict[str, object]:
    """The arguments that are settings, an activation such as ``ReLU`` in small letters."""
    found = {name: arguments[name] for name in STATED if arguments.get(name) is not None}
    return {
        name: value.lower() if name == "act_fn" and isinstance(value, str) else value
        for name, value in found.items()
    }


def _refusal(failure: Exception, expected: str, remedy: str) -> str:
    """Why torch did not read a pickle, on one line and without its advice to allow the code."""
    text = str(failure).rpartition("WeightsUnpickler error: ")[2].strip()
    reason = (text or type(failure).__name__).splitlines()[0].partition(" Please ")[0]
    reason = ascii(CLASS.sub(r"\1", reason))[1:-1]
    if any(word in text for word in BEYOND_TENSORS):
        return (
            "refused: it holds more than tensors and plain values, which reading would run as "
            f"code ({reason[:LONGEST_REASON]}); {remedy}"
        )
    shown = f" ({reason[:LONGEST_REASON]})" if isinstance(failure, IN_WORDS) else ""
    return (
        f"expected {expected} that torch saved, found a damaged or other file{shown}; restore "
        f"it, or {remedy}"
    )


def _last_losses(beside: Sequence[Mapping[Any, Any]]) -> dict[str, float]:
    """The ends of the loss histories, where there are any."""
    ends = {}
    for name in LOSSES:
        history = next((level[name] for level in beside if name in level), None)
        last = history[-1] if isinstance(history, list) and history else None
        if isinstance(last, float) and math.isfinite(last):
            ends[name.replace("losses", "loss")] = last
    return ends


def require_plain(where: str, weight: Tensor, file_size: int) -> None:
    """Check that a tensor is what its file holds: dense, and of no more values.

    Raises:
        InputError: it is not.
    """
    if weight.is_meta or weight.layout != torch.strided or weight.is_quantized or weight.is_nested:
        kind = "meta" if weight.is_meta else f"{weight.layout}, {weight.dtype}"
        raise InputError(f"{where}: expected a dense tensor with its values, found {kind}")
    if weight.numel() * weight.element_size() > file_size:
        raise InputError(
            f"{where}: damaged: its shape {tuple(weight.shape)} has more values than the file"
        )
