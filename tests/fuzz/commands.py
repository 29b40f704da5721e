"""Commands in this process, and what every answer of theirs is held to."""

import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from typer.testing import CliRunner

from mitool.cli.main import app
from mitool.core.errors import MitoolError

T = TypeVar("T")

SECONDS = 20.0
"""Of the processor's time, which other work on the machine leaves alone, that a command may take;
those here are of a second at most.
"""

SECONDS_TO_READ = 5.0
"""Of the processor's time, that a text or a small file may take to be read."""

MEMORY = 2**30
"""Bytes that a command may take beyond what the process has."""

LONGEST = 3000
"""Letters of a message."""

RAW = re.compile(
    r"Traceback|pydantic|ValidationError|errors?\.pydantic|<class |object at 0x|"
    r"size mismatch for|Error\(s\) in|c10::|\bat::|dataclass_type|For further information"
)
"""What means nothing to a user."""

UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class TooLong(BaseException):
    """A command is not done in time; nothing that catches exceptions is to catch it."""


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def message(self) -> str:
        """The message of a command that failed, less what else was wrong with its input."""
        _, _, message = self.stderr.rpartition("Error: ")
        return message.partition("\n")[0]

    def document(self) -> dict[str, Any]:
        """The JSON document of a command that did not fail."""
        return json.loads(self.stdout, parse_constant=_refuse)


@dataclass(frozen=True)
class Commands:
    """Commands that are run in a folder."""

    folder: Path

    def run(self, *arguments: str) -> Answer:
        """Run a command within bounds of time and memory."""
        with contextlib.chdir(self.folder), bounded(), _typed(arguments):
            result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        return Answer(result.exit_code, result.stdout, result.stderr)

    def answered(
        self, *arguments: str, codes: Sequence[int], keeping: Sequence[int] = (1, 2, 3)
    ) -> Answer:
        """Run a command, and hold what it says, and what it leaves if it fails, to the contract.

        Args:
            codes: one of which it is to end with.
            keeping: those with which it leaves everything as it was.
        """
        before = contents(self.folder)
        answer = self.run(*arguments)
        assert answer.exit_code in codes, (answer, arguments)
        if answer.exit_code == 0 and "--json" in arguments:
            answer.document()
        if answer.exit_code != 0:
            _require_message(answer, arguments)
        if answer.exit_code in (1, 2, 3):
            assert answer.stdout == "", answer
        if answer.exit_code in keeping:
            assert contents(self.folder) == before, answer
        return answer


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """What a folder holds, by size and time; locks stay where they are."""
    return {
        str(path.relative_to(folder)): (status.st_size, status.st_mtime_ns)
        for path in folder.rglob("*")
        if path.name != ".lock" and not path.is_dir()
        for status in [path.lstat()]
    } | {str(path.relative_to(folder)): (0, 0) for path in folder.rglob("*") if path.is_dir()}


def require_readable(message: str, longest: int = LONGEST) -> None:
    """Check that a message is one line, of bounded length, in words."""
    assert message.strip(), "an empty message"
    assert len(message.splitlines()) == 1, message
    assert len(message) <= longest, (len(message), message[:200])
    assert not UNSEEN.search(message), ascii(message)
    assert not RAW.search(message), message


def accepted(call: Callable[[], T], *kinds: type[MitoolError]) -> T | None:
    """What a call gives; None where it ends in an error of these kinds, in words."""
    with bounded(SECONDS_TO_READ):
        try:
            return call()
        except kinds as refusal:
            require_readable(str(refusal))
    return None


def _require_message(answer: Answer, arguments: Sequence[str]) -> None:
    assert "Traceback" not in answer.stderr, answer
    if answer.exit_code == 2 and answer.stderr.startswith("Usage: "):
        return  # typer's own, of options that it does not know or cannot read
    lines = answer.stderr.splitlines()
    said = [line for line in lines if line.startswith("Error: ")]
    assert len(said) == 1, (arguments, answer.stderr)
    others = lines[lines.index(said[0]) + 1 :]
    assert all(line.startswith("  ") for line in others), answer.stderr
    for message in (answer.message, *others):
        require_readable(message)


@contextlib.contextmanager
def bounded(seconds: float = SECONDS) -> Iterator[None]:
    """Fail what takes longer than so many seconds, or ``MEMORY`` more than there is."""

    def stop(_signum: int, _frame: FrameType | None) -> None:
        raise TooLong

    start, previous = time.process_time(), signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        with _memory_bounded():
            yield
    except TooLong:
        raise AssertionError(f"took more than {seconds:.0f} s") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
    assert time.process_time() - start <= seconds


@contextlib.contextmanager
def _memory_bounded() -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def _typed(arguments: Sequence[str]) -> Iterator[None]:
    """Have the process look as if that had been typed: reports say how to have the same again."""
    before, sys.argv = sys.argv, ["mitool", *arguments]
    try:
        yield
    finally:
        sys.argv = before


def _refuse(name: str) -> Any:
    raise AssertionError(f"{name} in a JSON document")
