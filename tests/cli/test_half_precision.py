"""Checkpoints whose weights were rounded to half precision are studied in float32."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.storage import checkpoint, layout
from tests.cli.conftest import QUICK, Invoke

NOTE = "the checkpoint's weights are in {} and are studied in float32"
FORMATS = {"bfloat16": torch.bfloat16, "float16": torch.float16}

QUICKLY = ("--format", "html")
STUDIES = {
    "fourier": ("analyze", "fourier", "FILE", *QUICKLY),
    "attn": ("analyze", "attn", "FILE", *QUICKLY),
    "patch": ("patch", "FILE", "--site", "z", *QUICKLY),
    "circuit": ("analyze", "circuit", "FILE", "--method", "eap", *QUICKLY),
    "convert": ("convert", "FILE", "--to", "bridge"),
    "inspect": ("inspect", "FILE"),
}
TOYS = {
    "superposition": (
        ("superpose", "intro", "--steps", "3", "--batch-size", "32"),
        ("superpose", "intro", "--from", "FILE", *QUICKLY),
    ),
    "monosemanticity": (
        ("superpose", "mono", "--N", "8", "--m", "4", "--k", "8", "--log2-training-steps", "2"),
        ("superpose", "mono", "--from", "FILE", *QUICKLY),
    ),
}


def cast(path: Path, to: torch.dtype, target: Path) -> None:
    """Write what a file holds in another number format, under a digest of its own."""
    tensors, record = checkpoint.read_tensors(path)
    checkpoint.write_tensors(target, {name: x.to(to) for name, x in tensors.items()}, record)


def studied(invoke: Invoke, arguments: tuple[str, ...], file: str) -> dict[str, Any]:
    out = () if arguments[0] in ("inspect", "convert") else ("-o", f"{file}-out")
    done = invoke(*(file if word == "FILE" else word for word in arguments), *out, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def require_the_same(invoke: Invoke, trained: Path, arguments: tuple[str, ...], name: str) -> None:
    """Hold a study of rounded weights against that of the same numbers kept in float32."""
    cast(trained, FORMATS[name], Path("half.safetensors"))
    cast(Path("half.safetensors"), torch.float32, Path("rounded.safetensors"))
    half = studied(invoke, arguments, "half.safetensors")
    rounded = studied(invoke, arguments, "rounded.safetensors")
    assert half["claims"] == rounded["claims"]
    said = [text for text in half["warnings"] if NOTE.format(name) in text]
    assert len(said) == 1
    assert half["warnings"][0] == said[0]
    assert half["warnings"][1:] == rounded["warnings"]


@pytest.mark.parametrize("arguments", STUDIES.values(), ids=STUDIES)
def test_a_transformer(arguments: tuple[str, ...], invoke: Invoke) -> None:
    invoke("train", "modadd", *QUICK, "-o", "run")
    name = "float16" if arguments == STUDIES["inspect"] else "bfloat16"
    require_the_same(invoke, Path("run", layout.CHECKPOINT), arguments, name)


@pytest.mark.parametrize(("training", "study"), TOYS.values(), ids=TOYS)
def test_other_toys(training: tuple[str, ...], study: tuple[str, ...], invoke: Invoke) -> None:
    assert invoke(*training, "-o", "run", *QUICKLY).exit_code == 0
    require_the_same(invoke, Path("run", layout.CHECKPOINT), study, "bfloat16")


def test_weights_of_several_formats_are_refused(invoke: Invoke) -> None:
    invoke("train", "modadd", *QUICK, "-o", "run")
    tensors, record = checkpoint.read_tensors(Path("run", layout.CHECKPOINT))
    tensors["embed.W_E"] = tensors["embed.W_E"].half()
    checkpoint.write_tensors(Path("mixed.safetensors"), tensors, record)
    done = invoke("inspect", "mixed.safetensors")
    assert done.exit_code == 3
    assert "expected all weights in float32, or all in float64" in done.stderr


@pytest.mark.parametrize(
    "training",
    [("train", "modadd", *QUICK), *(training for training, _ in TOYS.values())],
    ids=["transformer", *TOYS],
)
@pytest.mark.parametrize("part", ["", "/exp_avg"], ids=["all of it", "of the optimiser"])
def test_a_rounded_state_is_not_gone_on_with(
    training: tuple[str, ...], part: str, invoke: Invoke
) -> None:
    assert invoke(*training, "-o", "run", *QUICKLY).exit_code == 0
    path = Path("run", layout.RESUME)
    tensors, record = checkpoint.read_tensors(path)
    rounded = {k: x.bfloat16() if part in k else x for k, x in tensors.items()}
    checkpoint.write_tensors(path, rounded, record)
    done = invoke(*training, "-o", "run", "--resume", *QUICKLY)
    assert done.exit_code == 3
    assert "expected float32, as the run was started in, found bfloat16" in done.stderr
    assert "restore the file, or train again" in done.stderr
