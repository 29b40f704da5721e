"""The long commands, small, and what is to come of them whatever happens on the way."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.storage import atomic, locking
from mitool.storage.checkpoint import read_tensors

MODEL = "--d-model 16 --n-heads 2 --threads 1 --format html"
MODADD = f"train modadd --p 7 --frac-train 0.5 --eval-every 10 --checkpoint-every 20 {MODEL}"
MIN = f"train min --k 9 --max-value 9 --eval-size 64 --eval-every 10 --checkpoint-every 20 {MODEL}"
GIVEN = f"{MODADD} --epochs 60 -o given"
"""The run that is analysed."""

TOYS = "--batch-size 32 --eval-every 10 --threads 1 --format html"
MONO = (
    "superpose mono LR1 --N 8 --m 4 --k 8 --eps 0.25 --log2-batch-size 5 --log2-training-steps 5 "
    "--half-period 8 --sweep learning-rate=0.001,0.01 --threads 1 --format html"
)
ANALYSIS = "--threads 1 --format html -o out"


@dataclass(frozen=True)
class Case:
    """A long command that writes to ``out``.

    Attributes:
        line: the command line.
        resumed: whether it goes on with what it left.
        given: whether it reads the run ``given``.
    """

    line: str
    resumed: bool = False
    given: bool = False

    @property
    def arguments(self) -> list[str]:
        return shlex.split(self.line)

    @property
    def again(self) -> list[str]:
        """The command line that goes on, or begins again, after it was cut off."""
        return [*self.arguments, *["--resume"] * self.resumed]


TRAININGS = {
    "full batch": Case(f"{MODADD} --epochs 60 -o out", resumed=True),
    "minibatch": Case(f"{MODADD} --epochs 60 --batch-size 8 -o out", resumed=True),
    "stream": Case(f"{MIN} --epochs 60 --batch-size 16 -o out", resumed=True),
    "seeds": Case(f"{MODADD} --epochs 20 --seeds 0-1 -o out", resumed=True),
}
SUPERPOSITION = {
    "superpose intro": Case(f"superpose intro --steps 40 {TOYS} -o out", resumed=True),
    "superpose phase": Case(
        f"superpose phase --steps 20 --n-instances 4 {TOYS} -o out", resumed=True
    ),
    "superpose mono": Case(f"{MONO} -o out", resumed=True),
}
ANALYSES = {
    "fourier": Case(f"analyze fourier given --checkpoints all {ANALYSIS}", given=True),
    "attn": Case(f"analyze attn given {ANALYSIS}", given=True),
    "circuit": Case(f"analyze circuit given {ANALYSIS}", given=True),
    "patch": Case(f"patch given {ANALYSIS}", given=True),
}
WRITERS = {
    "convert": Case("convert given --to bridge --threads 1 -o out/b.safetensors", given=True),
    "plant": Case("plant induction -o out"),
}
SWEEP = {
    "sweep": Case(
        "sweep 'train modadd --frac-train 0.5 --epochs 40 --eval-every 10 --d-model 16 --n-heads 2'"
        " --grid p=5,7 --jobs 1 --threads 1 --format html -o out",
        resumed=True,
    )
}
CASES = {**TRAININGS, **SUPERPOSITION, **ANALYSES, **WRITERS, **SWEEP}
NAMES = [pytest.param(name, marks=[pytest.mark.slow] * (name in SWEEP)) for name in CASES]
"""As parameters of tests; a sweep loads torch anew, which takes seconds."""
FEW = [
    pytest.param(*p.values, marks=[] if i % 3 == 0 else pytest.mark.slow)
    for i, p in enumerate(NAMES)
]
"""The same, of which only every third is quick."""
CASES["long"] = Case(f"{MODADD} --epochs 1200 -o out", resumed=True)
"""A run that can be cut off many times, and is no parameter."""


def outcome(folder: Path) -> dict[str, Any]:
    """What a command left in a folder, by file, without what times and command lines differ in.

    Every file is read whole, so that one that is damaged is an error; temporary ones are there
    too, and would be found missing or left over.
    """
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)): without(str(folder), content(p)) for p in paths}


def without(folder: str, value: Any) -> Any:
    """A JSON value less the name of a folder."""
    if isinstance(value, dict):
        return {name: without(folder, v) for name, v in value.items()}
    if isinstance(value, list):
        return [without(folder, item) for item in value]
    return value.replace(folder, "") if isinstance(value, str) else value


def content(path: Path) -> Any:
    """What a file says, less the times; its kind is all that counts of a page or an image."""
    match path.suffix:
        case ".safetensors":
            tensors, record = read_tensors(path)
            return {name: bits(tensor) for name, tensor in tensors.items()}, timeless(record)
        case ".json":
            return timeless(atomic.read_json(path))
        case ".jsonl":
            return [timeless(line) for line in atomic.read_lines(path)]
        case ".html":
            assert path.read_text().rstrip().endswith("</html>")
        case ".png":
            assert path.read_bytes()[-8:-4] == b"IEND"
        case ".txt":
            return path.read_text()
    return path.suffix


def bits(tensor: torch.Tensor) -> tuple[object, ...]:
    return (tensor.dtype, tensor.shape, tensor.flatten().view(torch.uint8).numpy().tobytes())


def timeless(value: Any) -> Any:
    """A JSON value without the times in it, and without what was typed."""
    if isinstance(value, dict):
        own = {name: v for name, v in value.items() if name not in ("finished", "command_line")}
        return {name: timeless(v) for name, v in own.items() if "second" not in name}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def require_whole(folder: Path) -> None:
    """Check that each file which is no temporary one can be read whole."""
    for path in folder.rglob("*"):
        is_temporary = path.suffix == ".tmp" or locking.PART in path.parts
        if path.is_file() and not is_temporary:
            content(path)
