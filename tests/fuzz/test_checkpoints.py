"""Checkpoints: damaged, forged, and of things that mitool never wrote."""

import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import strategies as st
from torch import Tensor

from mitool.storage import checkpoint
from mitool.storage.checkpoint import KEY
from tests.fuzz.commands import Commands
from tests.fuzz.documents import DEEP, VALUES, changed, damaged, dumped
from tests.fuzz.profiles import fuzzed

KINDS = ("modadd", "toys", "mono")
VICTIM = "victim.safetensors"
DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL", "F8_E4M3", "C64", "X", 3)
LOOKS = (
    ("inspect", VICTIM, "--json"),
    ("inspect", VICTIM),
    ("convert", VICTIM, "--to", "bridge", "-o", "bridge.safetensors", "--overwrite"),
)
STUDIES = {
    "modadd": (
        ("analyze", "fourier"),
        ("patch", "--n-pairs", "2", "--edge", "m0->logits", "--resamples", "100"),
        ("analyze", "attn", "--examples", "4"),
    ),
    "toys": (("superpose", "intro", "--from"), ("superpose", "phase", "--from")),
    "mono": (("superpose", "mono", "--from"),),
}
"""What works on a checkpoint of a kind; the path comes last."""


@cache
def sound(folder: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the record of a run's checkpoint."""
    return checkpoint.read_tensors(folder / kind / "ckpt.safetensors")


def forge(
    folder: Path, tensors: dict[str, Tensor], record: dict[str, Any], name: str = VICTIM
) -> None:
    """Write a checkpoint with a digest that is right, whatever it holds."""
    own = {name: tensor.clone() for name, tensor in tensors.items()}
    sealed = record | {"digest": checkpoint._digest(own, record)}
    (folder / name).write_bytes(safetensors.torch.save(own, {KEY: json.dumps(sealed)}))


def look(commands: Commands, draw: st.DataObject) -> None:
    commands.answered(*draw.draw(st.sampled_from(LOOKS)), codes=(0, 3))


def study(commands: Commands, kind: str, draw: st.DataObject) -> None:
    words = draw.draw(st.sampled_from(STUDIES[kind]))
    options = ("--format", "html", "-o", "study", "--overwrite", "--quiet")
    commands.answered(*words, VICTIM, *options, codes=(0, 3))


@fuzzed(30, kind=st.sampled_from(KINDS), data=st.data())
def test_damaged_bytes_are_refused(commands: Commands, kind: str, data: st.DataObject) -> None:
    good = (commands.folder / kind / "ckpt.safetensors").read_bytes()
    content = data.draw(damaged(good))
    (commands.folder / VICTIM).write_bytes(content)
    answer = commands.answered("inspect", VICTIM, codes=(3,) if content != good else (0,))
    assert content == good or answer.message.startswith(VICTIM)


@fuzzed(60, kind=st.sampled_from(KINDS), data=st.data())
def test_a_forged_record_is_looked_at_or_refused(
    commands: Commands, kind: str, data: st.DataObject
) -> None:
    tensors, record = sound(commands.folder, kind)
    forge(commands.folder, tensors, data.draw(changed(record)))
    look(commands, data)


@fuzzed(5, kind=st.sampled_from(KINDS), data=st.data())
def test_a_forged_record_is_studied_or_refused(
    commands: Commands, kind: str, data: st.DataObject
) -> None:
    tensors, record = sound(commands.folder, kind)
    forge(commands.folder, tensors, data.draw(changed(record)))
    study(commands, kind, data)


@st.composite
def others(draw: st.DrawFn, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of which one has other values, another shape or format or name, or is gone."""
    found = dict(tensors)
    name = draw(st.sampled_from(sorted(found)))
    tensor = found[name].clone()
    match draw(
        st.sampled_from(["value", "dtype", "all", "shape", "name", "gone", "more", "scale"])
    ):
        case "value" if tensor.numel():
            odd = draw(st.sampled_from([float("nan"), float("inf"), 1e38, -1e38, 0.0]))
            tensor.view(-1)[draw(st.integers(0, tensor.numel() - 1))] = odd
            found[name] = tensor
        case "scale":
            factor = draw(st.sampled_from([0.0, 1e-38, 1e20, 1e38]))
            found = {key: value * factor for key, value in found.items()}
        case "dtype" | "all" as which:
            formats = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
            dtype = draw(st.sampled_from([*formats, torch.float8_e4m3fn, torch.complex64]))
            names = found if which == "all" else [name]
            found |= {key: found[key].to(dtype) for key in names}
        case "shape":
            sizes = draw(st.lists(st.integers(0, 6), max_size=4))
            found[name] = torch.zeros(sizes)
        case "name":
            found[draw(st.text(max_size=8))] = found.pop(name)
        case "gone":
            del found[name]
        case "more":
            found[draw(st.sampled_from(["", "x", "blocks.1.attn.W_Q", f"{name}.x"]))] = tensor
    return found


@fuzzed(30, kind=st.sampled_from(KINDS), data=st.data())
def test_other_tensors_are_looked_at_or_refused(
    commands: Commands, kind: str, data: st.DataObject
) -> None:
    tensors, record = sound(commands.folder, kind)
    forge(commands.folder, data.draw(others(tensors)), record)
    look(commands, data)


@fuzzed(5, kind=st.sampled_from(KINDS), data=st.data())
def test_other_tensors_are_studied_or_refused(
    commands: Commands, kind: str, data: st.DataObject
) -> None:
    tensors, record = sound(commands.folder, kind)
    forge(commands.folder, data.draw(others(tensors)), record)
    study(commands, kind, data)


SIZES = st.sampled_from([0, 1, 2, 7, 2**31, 2**32, 2**62, 2**63, 2**64, -1, 1.5, None])
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(DTYPES),
        "shape": st.lists(SIZES, max_size=4),
        "data_offsets": st.lists(SIZES, min_size=1, max_size=3),
    }
)
HEADERS = st.dictionaries(
    st.sampled_from(["embed.W_E", "x", ""]), st.one_of(ENTRIES, VALUES), max_size=3
)
METADATA = st.one_of(
    VALUES, st.dictionaries(st.sampled_from([KEY, "format"]), st.text(max_size=9), max_size=2)
)


@fuzzed(
    15,
    header=st.one_of(HEADERS, st.tuples(HEADERS, METADATA)),
    length=st.one_of(st.just(0), st.sampled_from([-1, 1, 8, 10**6, 2**40, 2**62])),
    rest=st.binary(max_size=64),
)
def test_a_header_that_lies_is_refused(
    commands: Commands, header: Any, length: int, rest: bytes
) -> None:
    if isinstance(header, tuple):
        header = header[0] | {"__metadata__": header[1]}
    text = dumped(header)
    content = struct.pack("<Q", max(0, len(text) + length)) + text + rest
    (commands.folder / VICTIM).write_bytes(content)
    commands.answered("inspect", VICTIM, codes=(3,))


@pytest.mark.parametrize(
    "sealed", [DEEP.decode(), "9" * 5000, '{"digest": NaN}', "null", '{"digest": 1}', "{}"]
)
@pytest.mark.parametrize("command", ["inspect", "convert"])
def test_a_record_that_is_none_is_refused(commands: Commands, sealed: str, command: str) -> None:
    header = json.dumps({"__metadata__": {KEY: sealed}}).encode()
    (commands.folder / VICTIM).write_bytes(struct.pack("<Q", len(header)) + header)
    more = ("--task", "modadd") if command == "convert" else ()
    commands.answered(command, VICTIM, *more, codes=(3,))


REGRESSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "no d_head": ("modadd", {"model": {"n_heads": 2, "d_model": 8}}),
    "NaN in the settings": ("modadd", {"training": {"lr": float("nan")}}),
    "an infinite number": ("modadd", {"training": {"lr": float("inf")}}),
    "parameters that are no values": ("toys", {"task": {"name": "x", "parameters": {"a": {}}}}),
    "letters for the terminal": ("toys", {"\x1b[31m\n": 1}),
    "a kind of many letters": ("modadd", {"kind": "x" * 5000}),
    "a preset that is no name": ("mono", {"task": {"name": "x", "parameters": {"preset": 3}}}),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_once_ended_in_a_traceback_is_refused(commands: Commands, name: str) -> None:
    kind, changes = REGRESSIONS[name]
    tensors, record = sound(commands.folder, kind)
    forge(commands.folder, tensors, record | changes)
    commands.answered(*LOOKS[0], codes=(3,))


def test_what_diverged_has_no_norm_and_toys_without_numbers_are_refused(
    commands: Commands,
) -> None:
    for kind, weight, code in (("mono", "W_in", 0), ("toys", "W", 3), ("toys", "density", 3)):
        tensors, record = sound(commands.folder, kind)
        name = next(full for full in tensors if full.rpartition(".")[2] == weight)
        forge(commands.folder, tensors | {name: tensors[name] * float("nan")}, record)
        commands.answered(*LOOKS[0], codes=(code,))


def test_a_model_of_gigabytes_is_refused_before_it_is_made(commands: Commands) -> None:
    tensors, record = sound(commands.folder, "mono")
    sizes = dict.fromkeys(("N", "m", "k"), 65_536)
    forge(commands.folder, tensors, record | {"model": record["model"] | sizes})
    answer = commands.answered(*LOOKS[0], codes=(3,))
    assert "expected weights of shapes" in answer.message
