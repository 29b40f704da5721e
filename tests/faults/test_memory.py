"""A limited address space: one message that says what to make smaller, and no half result."""

from pathlib import Path

import pytest

from tests.faults.processes import Commands

MIB = 2**20
HUNGRY = {
    "stream": ("train sort --epochs 1 --batch-size 4096 {} -o out", "--batch-size", True),
    "superpose": (
        "superpose norms --steps 2 --n-features 400 --n-hidden 20 --batch-size 4096 {} -o out",
        "--batch-size",
        True,
    ),
    "mono": (
        "superpose mono LR1 --N 128 --m 16 --k 256 --log2-batch-size 12 --log2-training-steps 1 "
        "--half-period 8 {} -o out",
        "--scale small",
        True,
    ),
    "fourier": ("analyze fourier given {} -o out", "a smaller p", False),
    "patch": ("patch given --n-pairs 4096 {} -o out", "--n-pairs", False),
    "circuit": ("analyze circuit given --n-pairs 4096 {} -o out", "--n-pairs", False),
}
"""Commands that take more than is there, and what of them is to be made smaller."""


@pytest.fixture(scope="module")
def studied(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studied")
    line = "train modadd --p 61 --epochs 1 --threads 1 --format html -o given"
    assert commands.run(line.split(), folder).exit_code == 0
    return folder / "given"


@pytest.mark.parametrize("name", HUNGRY)
def test_too_little_memory_is_one_message_and_leaves_no_half_result(
    name: str, commands: Commands, tmp_path: Path, studied: Path
) -> None:
    line, remedy, is_resumed = HUNGRY[name]
    (tmp_path / "given").symlink_to(studied)
    arguments = line.format("--threads 1 --format html").split()
    done = commands.run(arguments, tmp_path, memory=4 * MIB)
    assert done.exit_code == 1, done.stderr
    assert done.error.startswith("out of memory")
    assert remedy in done.error
    if not is_resumed:
        assert not (tmp_path / "out").exists()
