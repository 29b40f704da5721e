"""Streams that are closed, full or read by nobody are no tracebacks, and end no run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mitool.storage import layout
from tests.faults.cases import MODADD, outcome
from tests.faults.processes import Commands

MITOOL = f"{sys.executable} -m mitool"


def said(line: str, folder: Path) -> str:
    """What a line of shell says on stderr."""
    command = ["sh", "-c", line]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.parametrize("arguments", ["tasks", "tasks --json", "--help", "train min --help"])
@pytest.mark.parametrize("reader", ["true", "head -1"])
def test_a_reader_that_has_enough_is_no_traceback(
    tmp_path: Path, arguments: str, reader: str
) -> None:
    assert said(f"{MITOOL} {arguments} | {reader}", tmp_path) == ""


@pytest.mark.parametrize("stream", [">&-", "2>&-", ">/dev/full", "2>/dev/full", ">&- 2>&-"])
def test_a_stream_that_is_closed_or_full_is_no_traceback(tmp_path: Path, stream: str) -> None:
    for arguments in ("tasks", "train modad"):
        assert "Traceback" not in said(f"{MITOOL} {arguments} {stream}", tmp_path)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_run_outlives_the_reader_of_what_it_says(
    stream: str, commands: Commands, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    streams = {stream: str(tmp_path / "pipe")}
    running = commands.start([*MODADD.split(), "--epochs", "60", "-o", "run"], tmp_path, **streams)
    os.close(os.open(tmp_path / "pipe", os.O_RDONLY))
    assert running.wait().exit_code == 0
    assert outcome(tmp_path / "run")[layout.METRICS][-1]["epoch"] == 60
    assert (tmp_path / "run" / layout.REPORT).exists()


def test_a_result_that_cannot_be_printed_is_kept_and_an_error(
    commands: Commands, tmp_path: Path
) -> None:
    arguments = [*MODADD.split(), "--epochs", "60", "-o", "run"]
    done = commands.run(arguments, tmp_path, stdout="/dev/full")
    assert done.exit_code == 1
    assert done.error.startswith("the result cannot be written to stdout: No space left")
    assert outcome(tmp_path / "run")[layout.RESULT]["claims"]["epochs"] == 60


def ended(tmp_path: Path, *arguments: str, stdout: int) -> tuple[int, str]:
    """How a whole process of the command ends, whose stdout is a file of this one."""
    command = [sys.executable, "-m", "mitool", *arguments]
    done = subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("line", ["train modadd --help", "tasks"])
def test_a_reader_that_has_gone_is_no_error_at_the_interpreters_end_either(
    line: str, tmp_path: Path
) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        assert ended(tmp_path, *line.split(), stdout=write) == (0, "")
    finally:
        os.close(write)


def test_a_full_stdout_is_one_message(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        code, stderr = ended(tmp_path, "tasks", stdout=full.fileno())
    assert code == 1
    assert stderr.splitlines() == [
        "Error: the result cannot be written to stdout: No space left on device"
    ]
