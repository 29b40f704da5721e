"""Files of weights that others wrote: state dicts saved by torch or as safetensors.

A pickle is read with ``weights_only=True`` or not at all: it could run code.
"""

import math
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from mitool import checkpoint
from mitool.device import HOST
from mitool.errors import InputError

NESTS = ("model", "state_dict", "model_state_dict")
"""Under which key a state dict lies beside an optimiser, losses and the like."""

CONFIGS = ("cfg", "config")
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
REMEDY = "save the state dict alone: torch.save(model.state_dict(), FILE)"
GIVE = "give the file that torch or safetensors saved"


@dataclass(frozen=True)
class StateFile:
    """A state dict and what its file says beside it.

    Attributes:
        weights: the tensors by their names in the file, in host memory.
        config: the model's configuration in TransformerLens's names; empty where there is none.
        losses: the last value of each recorded history, ``train_loss`` and ``test_loss``.
        settings: the settings of the toy transformer, in a file that mitool wrote.
    """

    weights: Mapping[str, Tensor]
    config: Mapping[str, object] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)


def read(path: Path) -> StateFile:
    """Read a state dict, alone or nested beside other things.

    Raises:
        InputError: the file is missing, damaged, refused, or holds something else.
    """
    require_file(path)
    with path.open("rb") as file:
        start = file.read(9)
    if not start:
        raise InputError(f"{path}: expected a state dict, found an empty file")
    # what the file starts with decides, and its name only where that says nothing
    is_torch = start.startswith(TORCH_STARTS)
    is_safetensors = not is_torch and (path.suffix == ".safetensors" or start[8:9] == b"{")
    found = _from_safetensors(path) if is_safetensors else _from_pickle(path)
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


def _from_pickle(path: Path) -> StateFile:
    held = load_pickle(path, EXPECTED, REMEDY)
    nest = next((n for n in NESTS if isinstance(held, dict) and isinstance(held.get(n), dict)), "")
    weights = held[nest] if nest else held
    beside = held if nest else {}
    where = f"under {nest!r}" if nest else f"in the file, or under one of {', '.join(NESTS)}"
    if not isinstance(weights, dict) or not weights:
        kind = "an empty one" if weights == {} else f"a {type(weights).__name__}"
        raise InputError(f"{path}: expected a state dict {where}; found {kind}; {REMEDY}")
    for name, value in weights.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise InputError(
                f"{path}: expected a state dict of tensors {where}; found {str(name)[:80]!r} of "
                f"type {type(value).__name__}; {REMEDY}"
            )
    configs = [beside[name] for name in CONFIGS if isinstance(beside.get(name), dict)]
    return StateFile(dict(weights), configs[0] if configs else {}, _last_losses(beside))


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


def _last_losses(beside: Mapping[Any, Any]) -> dict[str, float]:
    """The ends of the loss histories, where there are any."""
    ends = {}
    for name in LOSSES:
        history = beside.get(name)
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
