"""Checkpoints: one safetensors file with all that is needed to study a model.

The tensors are named and shaped as in TransformerLens. The metadata key ``mitool`` holds JSON
with a digest of tensors and metadata, which is checked on loading: a flipped bit is an error,
not a slightly different result.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import safetensors.torch
import torch
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mitool.core.config import describe
from mitool.core.errors import InputError, said
from mitool.core.memory import is_out_of_memory
from mitool.core.result import Claim
from mitool.core.strict_json import parsed
from mitool.storage.atomic import atomic_write
from mitool.storage.layout import CHECKPOINT, POINTS, TRAJECTORY

KEY = "mitool"
TRANSFORMER, BRIDGE = "transformer", "bridge"
SUPERPOSITION, MONOSEMANTICITY = "superposition", "monosemanticity"
"""The kinds of files: toy transformers, bridges, toy models of superposition, MLPs on features."""
MOST_READINGS = 20
"""Of a file that is replaced each time while it is read."""

T = TypeVar("T")
Name = Annotated[str, Field(max_length=100)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class TaskRecord:
    """A task as its name and parameters, and where it is not installed the file and the class that
    it was read from, as a user named them, with the SHA-256 of what the file held.
    """

    name: Name
    parameters: dict[str, Claim]
    file: Annotated[str, Field(max_length=4096)] | None = None
    file_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    def described(self) -> dict[str, Any]:
        """The same as JSON values, without a file where there is none."""
        return {name: value for name, value in vars(self).items() if value is not None}


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

    kind: Name
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
    record = TypeAdapter(Metadata).dump_python(metadata, mode="json")
    write_tensors(path, tensors, record | {"task": metadata.task.described()})


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
        return tensors, TypeAdapter(Metadata).validate_json(json.dumps(record))
    except ValidationError as failure:
        problem = describe(failure, Metadata)
        raise InputError(f"{path}: not a checkpoint of this mitool: {problem}") from None


def record_of(path: Path) -> dict[str, Any]:
    """What a file that ``write_tensors`` wrote says of itself, with its digest; its tensors are
    neither read nor checked.

    Raises:
        InputError: it is missing, damaged, or of another kind.
    """
    header = _read(path, lambda file: file.metadata() or {})
    try:
        record = json.loads(header[KEY])
    except (ValueError, KeyError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise InputError(f"{path}: its metadata is no record of mitool")
    return record


def kind_of(path: Path) -> str | None:
    """The kind of a checkpoint or of a run's last one, by its header alone, which is not checked;
    None where there is none.
    """
    with contextlib.suppress(InputError):
        kind = record_of(find(path)).get("kind")
        return kind if isinstance(kind, str) else None
    return None


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
                    f"{CHECKPOINT}{_within(path)}"
                )
            return path / CHECKPOINT
        if not path.is_file():
            found = "a pipe or device" if path.exists() else "no such file"
            raise InputError(f"{path}: {found}; expected a .safetensors checkpoint or a run")
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None
    return path


def _within(folder: Path) -> str:
    """What to give instead, of a folder of several runs: seeds, points of a sweep, or others."""
    runs = (
        path.parent for name in ("*", f"{POINTS}/*") for path in folder.glob(f"{name}/{CHECKPOINT}")
    )
    first = min(runs, default=None)
    return "" if first is None else f"; it holds several runs: give one, such as {first}"


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


def write_tensors(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write tensors and a JSON record with their digest, atomically."""
    tensors = _apart(tensors)
    sealed = {**record, "digest": _digest(tensors, record)}
    atomic_write(path, safetensors.torch.save(tensors, {KEY: json.dumps(sealed, allow_nan=False)}))


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
        record = parsed(sealed)
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

    safetensors opens a file twice, by its name: one that is replaced in between, as a training
    does, would be read as half of each, and is read again.

    Raises:
        InputError: it is none, or damaged.
    """

    def all_of(file: Any) -> tuple[dict[str, Tensor], dict[str, str]]:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, file.metadata() or {}

    return _read(path, all_of)


def _read(path: Path, part: Callable[[Any], T]) -> T:
    """A part of a safetensors file, in which everything is of one and the same file."""
    for _ in range(MOST_READINGS):
        before, failure = _identity(path), None
        try:
            with safe_open(path, framework="pt") as file:
                found = part(file)
        except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError) as problem:
            failure = problem
        if before == _identity(path):
            break
    if failure is None:
        return found
    if is_out_of_memory(failure):
        raise failure
    reason = said(failure)
    is_torch = path.suffix in (".pt", ".pth")
    remedy = "mitool convert reads torch's files" if is_torch else "restore it, or train again"
    remedy = "rename it" if "not valid UTF-8" in reason else remedy
    raise InputError(f"{path}: not a readable safetensors file: {reason}; {remedy}") from failure


def _identity(path: Path) -> tuple[int, ...] | None:
    """What differs between a file and the one that takes its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the host, each in memory of its own: safetensors refuses those that share it."""
    own, held = dict[str, Tensor](), set[int]()
    for name, tensor in tensors.items():
        found = tensor.detach().cpu().contiguous()
        if (place := found.untyped_storage().data_ptr()) in held:
            found = found.clone()
        held.add(place)
        own[name] = found
    return own


def _digest(tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
