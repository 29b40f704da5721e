"""Commands as processes of their own, which can be killed and starved."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.faults.zygote import Request

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a process counts as hung."""


@dataclass(frozen=True)
class Done:
    """How a command ended: below 0 the exit code is the signal that killed it."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def error(self) -> str:
        """The one message of a command that failed."""
        assert "Traceback" not in self.stderr
        errors = [line for line in self.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1, self.stderr
        return errors[0].removeprefix("Error: ")


@dataclass
class Running:
    """A command that has been started."""

    pid: int
    commands: "Commands"
    stdout: Path
    stderr: Path
    began: float = field(default_factory=time.monotonic)

    def send(self, signum: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.is_running():
            os.kill(self.pid, signum)

    def status(self) -> str:
        """Whether it runs, sleeps or is stopped."""
        return psutil.Process(self.pid).status() if self.is_running() else "ended"

    def is_running(self) -> bool:
        return self.commands.ended(self.pid) is None

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, or the command has ended."""
        while self.is_running() and not condition():
            assert time.monotonic() - self.began < PATIENCE
            time.sleep(0.002)

    def wait(self, seconds: float = PATIENCE) -> Done:
        """Wait for the end; a command that hangs is killed, and an error."""
        deadline = time.monotonic() + seconds
        while (code := self.commands.ended(self.pid)) is None:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"hangs after {seconds:g} s: {self.stderr.read_text()}")
            time.sleep(0.002)
        stdout, stderr = (path.read_text(errors="replace") for path in (self.stdout, self.stderr))
        return Done(code, stdout, stderr, time.monotonic() - self.began)


class Commands:
    """Runs command lines in forks of a process that has everything loaded."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._number = 0
        self._started: set[int] = set()
        self._codes: dict[int, int] = {}
        self._rest = b""
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **one_thread},
        )
        assert self._zygote.stdout
        os.set_blocking(self._zygote.stdout.fileno(), False)
        self._hear("ready")

    def close(self) -> None:
        """End what a test that failed left running, and the process that has everything loaded."""
        assert self._zygote.stdin
        assert self._zygote.stdout
        self._read()
        for pid in self._started - self._codes.keys():
            os.kill(pid, signal.SIGKILL)
        self._zygote.stdin.close()
        self._zygote.wait()
        self._zygote.stdout.close()

    def start(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        stdout: str | None = None,
        stderr: str | None = None,
        environment: dict[str, str] | None = None,
        **faults: Any,
    ) -> Running:
        """Start a command in a folder.

        Args:
            faults: see ``Request``.
        """
        self._number += 1
        streams = [self._place / f"{self._number}.{name}" for name in ("out", "err")]
        request = Request(
            [*arguments],
            str(folder),
            stdout or str(streams[0]),
            stderr or str(streams[1]),
            environment or {},
            **faults,
        )
        for stream in streams:
            stream.touch()
        assert self._zygote.stdin
        self._zygote.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
        self._zygote.stdin.flush()
        pid = self._hear("started")
        self._started.add(pid)
        return Running(pid, self, *streams)

    def run(self, arguments: Sequence[str], folder: Path, **options: Any) -> Done:
        """Run a command to its end; see ``start``."""
        return self.start(arguments, folder, **options).wait()

    def ended(self, pid: int) -> int | None:
        """The exit code of a process, or None while it runs."""
        self._read()
        return self._codes.get(pid)

    def _hear(self, what: str) -> int:
        deadline = time.monotonic() + PATIENCE
        while (number := self._read(what)) is None:
            assert time.monotonic() < deadline
            assert self._zygote.poll() is None
            time.sleep(0.0005)
        return number

    def _read(self, awaited: str = "") -> int | None:
        """Take in what was said; returns the number said with the word that is awaited."""
        assert self._zygote.stdout
        found = None
        *lines, self._rest = (self._rest + (self._zygote.stdout.read() or b"")).split(b"\n")
        for line in lines:
            what, number, *code = line.decode().split()
            if what == "ended":
                self._codes[int(number)] = int(code[0])
            if what == awaited:
                found = int(number)
        return found
