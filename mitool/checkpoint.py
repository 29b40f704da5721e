"""Checkpoints: one safetensors file with all that is needed to study a model.

The tensors are named and shaped as in TransformerLens. The metadata key ``mitool`` holds JSON
with a digest of tensors and metadata, which is checked on loading: a flipped bit is an error,
not a slightly different result.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mitool.config import describe
from mitool.errors import InputError
from mitool.files import atomic_write
from mitool.rundir import CHECKPOINT, TRAJECTORY

KEY = "mitool"
FORMAT = 1
BRIDGE = "bridge"
"""The kind of a file that holds a ``TransformerBridge`` state dict."""
SUPERPOSITION = "superposition"
"""The kind of a file that holds toy models of superposition."""
MONOSEMANTICITY = "monosemanticity"
"""The kind of a file that holds MLPs on features in superposition."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class TaskRecord:
    """A task as its name and parameters."""

    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class Metadata:
    """What a checkpoint says of itself.

    Attributes:
        kind: what the tensors are, such as ``transformer``.
        model: the model's configuration.
        task: what it was trained on.
        training: how it was trained, device settings included.
        split: which examples trained; None for a stream.
        seed: the seed of the run.
        step: optimiser steps behind these weights.
        epoch: epochs behind these weights.
        version: the version of mitool that wrote the file.
        format: the version of this layout.
    """

    kind: str
    model: dict[str, Any]
    task: TaskRecord
    training: dict[str, Any]
    split: dict[str, Any] | None
    seed: int
    step: int
    epoch: int
    version: str
    format: Literal[1] = field(default=1)


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Metadata) -> None:
    """Write a checkpoint, atomically.

    Raises:
        RunError: the file cannot be written.
    """
    write_tensors(path, tensors, TypeAdapter(Metadata).dump_python(metadata, mode="json"))


def load(path: Path) -> tuple[dict[str, Tensor], Metadata]:
    """Read a checkpoint file, or the last checkpoint of a run directory.

    Raises:
        InputError: the file is missing, damaged, or no checkpoint of mitool.
    """
    path = find(path)
    tensors, record = read_tensors(path)
    if not {"model", "training"} & record.keys():
        what = "the arrays of a result" if record.get("kind") == "arrays" else "other tensors"
        raise InputError(f"{path}: expected a checkpoint, as a run's {CHECKPOINT} is, found {what}")
    try:
        metadata = TypeAdapter(Metadata).validate_json(json.dumps(record))
    except ValidationError as failure:
        problem = describe(failure, Metadata)
        raise InputError(f"{path}: not a checkpoint of this mitool: {problem}") from None
    return tensors, metadata


def find(path: Path) -> Path:
    """The checkpoint file that a path stands for: itself, or the last of a run directory.

    Raises:
        InputError: there is none.
    """
    try:
        if path.is_dir():
            if not (path / CHECKPOINT).is_file():
                raise InputError(
                    f"{path}: expected a checkpoint or a run directory, found a folder without "
                    f"{CHECKPOINT}; of a run of several seeds give one, such as {path / 'seed0'}"
                )
            return path / CHECKPOINT
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected a .safetensors checkpoint or a run")
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None
    return path


def trajectory(path: Path) -> list[Path]:
    """The checkpoints of a run directory, or of the run that a checkpoint belongs to, in the
    order of their epochs.

    Raises:
        InputError: the run kept none.
    """
    run = find(path).parent
    folder = run if run.name == TRAJECTORY else run / TRAJECTORY
    found = {int(file.stem): file for file in folder.glob("*.safetensors") if file.stem.isdecimal()}
    if not found:
        raise InputError(
            f"{folder}: expected the checkpoints of a run, found none; train with "
            "--checkpoint-every, or analyse the last checkpoint alone"
        )
    return [found[step] for step in sorted(found)]


def joined(families: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of several models, by name of the model, as one checkpoint holds them."""
    return {
        full_name(family, name): tensor
        for family, tensors in families.items()
        for name, tensor in tensors.items()
    }


def families_of(
    tensors: Mapping[str, Tensor], names: Sequence[str]
) -> dict[str, dict[str, Tensor]]:
    """The tensors of a checkpoint of several models, by those models and then by their names."""
    return {
        family: {
            full.rpartition(".")[2]: tensor
            for full, tensor in tensors.items()
            if full.rpartition(".")[0] == family
        }
        for family in names
    }


def full_name(family: str, name: str) -> str:
    """The name of a model's tensor in a checkpoint; a lone model may have no name."""
    return f"{family}.{name}" if family else name


def write_tensors(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write tensors and a JSON record with their digest, atomically."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    sealed = {**record, "digest": _digest(tensors, record)}
    atomic_write(path, safetensors.torch.save(tensors, {KEY: json.dumps(sealed)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what ``write_tensors`` wrote; the digest is checked and left out of the record.

    Raises:
        InputError: the file is damaged or of another kind.
    """
    tensors, header = read_safetensors(path)
    if KEY not in header:
        raise InputError(
            f"{path}: a safetensors file without mitool's metadata; expected a checkpoint that "
            "mitool wrote; a state dict of TransformerLens's is read by mitool convert"
        )
    return tensors, unsealed(path, tensors, header[KEY])


def unsealed(path: Path, tensors: Mapping[str, Tensor], sealed: str) -> dict[str, Any]:
    """The record that ``write_tensors`` put into a file's metadata, its digest checked.

    Raises:
        InputError: it is no such record, or the digest is another.
    """
    try:
        record = json.loads(sealed)
        found = record.pop("digest")
        expected = _digest(tensors, record)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise InputError(f"{path}: damaged: its metadata is no record of mitool") from None
    if found != expected:
        raise InputError(
            f"{path}: damaged: the digest of its contents is not the one written with it; "
            "restore the file or train again"
        )
    return record


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of any safetensors file.

    Raises:
        InputError: it is none, or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError) as failure:
        reason = str(failure).splitlines()[0] if str(failure) else type(failure).__name__
        is_torch = path.suffix in (".pt", ".pth")
        remedy = "mitool convert reads torch's files" if is_torch else "restore it, or train again"
        raise InputError(f"{path}: not a readable safetensors file: {reason}; {remedy}") from None


def _digest(tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
