"""The weights of a Hugging Face folder: their names, shapes and formats, and each when it is asked
for.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from mitool.core.errors import InputError, first_few, said
from mitool.core.memory import is_out_of_memory
from mitool.models import hub_files
from mitool.storage import state_dict

FORMATS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
"""What torch calls the number formats of safetensors."""


@dataclass(frozen=True)
class StoredWeight:
    """A weight in its file.

    Attributes:
        value: the tensor, or what ``value[...]`` reads it from.
        shape: as the file has it.
        format: of its numbers, as torch calls it.
    """

    value: Any
    shape: tuple[int, ...]
    format: str


@contextlib.contextmanager
def opened_weights(folder: Path, named: object = None) -> Iterator[dict[str, StoredWeight]]:
    """The weights of a folder by their names; those of safetensors files are read when asked for.

    Args:
        folder: with files named as transformers names them.
        named: the file that ``config.json`` says they are in, if it does.

    Raises:
        InputError: there are none, a file is missing or damaged, or two hold the same weight.
    """
    weights: dict[str, StoredWeight] = {}
    with ExitStack() as stack:
        for path in _paths(folder, named):
            found = _opened(path, stack)
            if twice := sorted(found.keys() & weights.keys()):
                raise InputError(
                    f"{path}: expected each weight in one file, found {first_few(twice)} in "
                    "another too; restore the folder"
                )
            weights |= found
        if not weights:
            raise InputError(f"{folder}: expected weights, found files without any; restore them")
        yield weights


def _paths(folder: Path, named: object) -> list[Path]:
    """The files that hold the weights, all there."""
    names = (named,) if isinstance(named, str) and named else hub_files.WEIGHTS
    first = next((folder / name for name in names if (folder / name).exists()), None)
    if first is None:
        raise InputError(f"{folder}: {_without_weights(folder, names)}")
    _require_within(first, first.name if named is None else str(named))
    if not first.name.endswith(".index.json"):
        return [first]
    shards = _shards(first)
    missing = [name for name in shards if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{first}: expected {len(shards)} files of weights, found {len(missing)} of them "
            f"missing ({first_few(missing)}); download them"
        )
    return [folder / name for name in shards]


def _without_weights(folder: Path, names: tuple[str, ...]) -> str:
    """What is said of a folder that has none."""
    expected = f"expected weights ({' or '.join(names[:3:2])}, or its index)"
    if gguf := sorted(path.name for path in folder.glob(hub_files.GGUF)):
        return (
            f"{expected}, found quantised ones alone ({first_few(gguf)}); give the model that they "
            "were made from"
        )
    others = (*hub_files.OTHER_FRAMEWORKS, *hub_files.ADAPTERS)
    if found := [name for name in others if (folder / name).exists()]:
        return (
            f"{expected}, found {first_few(found)}, which is not read; save the model again with "
            "transformers' save_pretrained()"
        )
    stray = sorted(path.name for kind in ("*.safetensors", "*.bin") for path in folder.glob(kind))
    if stray:
        return (
            f"{expected}, found {first_few(stray)} without an index; download the index too, or "
            "save the model again with save_pretrained()"
        )
    return f"{expected}, found none; download them, or save the model with save_pretrained()"


def _shards(index: Path) -> list[str]:
    """The names of the files that an index lists."""
    listed = hub_files.read_json(index, "a JSON document")
    found = listed.get("weight_map") if isinstance(listed, dict) else None
    names = list(found.values()) if isinstance(found, dict) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{index}: expected a weight_map that says in which file each weight is, found none "
            "that names files; restore the file"
        )
    shards = sorted(set(names))
    for name in shards:
        _require_within(index, name)
    return shards


def _require_within(path: Path, name: str) -> None:
    """Check that a name in a file is that of a file beside it."""
    if PurePath(name).name != name or name in ("", ".", ".."):
        raise InputError(
            f"{path}: expected the names of files beside it, found {name[:80]!r}; restore the file"
        )


def _opened(path: Path, stack: ExitStack) -> Mapping[str, StoredWeight]:
    """The weights of one file."""
    if hub_files.is_pointer(path):
        raise InputError(hub_files.pointer_message(path))
    state_dict.require_file(path, "a file of weights", "download it")
    if path.suffix != ".safetensors":
        stored = state_dict.read(path, has_index=False).weights
        return {name: _in_memory(tensor) for name, tensor in stored.items()}
    try:
        file = stack.enter_context(safe_open(path, framework="pt"))
        names: list[str] = file.keys()
        return {name: _in_file(file.get_slice(name)) for name in names}
    except (SafetensorError, OSError, ValueError, RuntimeError) as failure:
        if is_out_of_memory(failure):
            raise
        raise InputError(
            f"{path}: expected a safetensors file; found it damaged or cut short: {said(failure)}; "
            "download it again"
        ) from failure


def _in_file(held: Any) -> StoredWeight:
    name = held.get_dtype()
    return StoredWeight(held, tuple(held.get_shape()), FORMATS.get(name, str(name).lower()))


def _in_memory(tensor: Tensor) -> StoredWeight:
    return StoredWeight(tensor, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
