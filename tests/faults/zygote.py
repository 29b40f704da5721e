"""A process with everything loaded, whose forks run the command line.

Loading torch takes seconds, and a fork of a process that has done so none; what is loaded has not
computed anything yet, so that a fork lacks no thread. It is told what to run by lines of JSON on
stdin, and says on stdout which process runs it and, once it has ended, with what exit code.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

OTHERS = ("torch._dynamo", "kaleido", "choreographer", "transformer_lens.model_bridge", "pyarrow")
"""What commands load late, beside mitool's own modules."""

WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link")
"""Audit events of what changes a folder, beside files that are opened to be written."""

WRITING = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Request:
    """A command to run.

    Attributes:
        folder: it runs in.
        stdout: the file that takes what it prints; ``stderr`` too.
        environment: beside this process's own.
        counted: the folder whose changes are counted.
        count_into: the file that takes their number, if there is to be one.
        struck_at: the change before which a signal comes; 0 for none.
        signum: the signal.
        memory: bytes that it may take beyond what it has; 0 for no limit.
        clock_jumps: seconds by which ``time.time`` jumps, back and forth in turn, at each call.
    """

    arguments: list[str]
    folder: str
    stdout: str
    stderr: str
    environment: dict[str, str]
    counted: str = ""
    count_into: str = ""
    struck_at: int = 0
    signum: int = signal.SIGKILL
    memory: int = 0
    clock_jumps: float = 0.0


def serve() -> Request:
    """Fork for each request; returns the request in the fork, and never in this process."""
    for module in (*_modules(), *OTHERS):
        importlib.import_module(module)
    gc.freeze()
    readable, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    signal.signal(signal.SIGCHLD, lambda _signum, _frame: None)
    _say("ready", 0)
    for line in _lines(readable):
        if line is None:
            _report_ended()
            continue
        if not (process := os.fork()):
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(readable)
            os.close(told)
            return Request(**json.loads(line))
        _say("started", process)
    sys.exit()


def _modules() -> Iterator[str]:
    import mitool

    for module in pkgutil.walk_packages(mitool.__path__, "mitool."):
        if not module.name.endswith("__main__"):
            yield module.name


def _lines(woken: int) -> Iterator[bytes | None]:
    """Each line of stdin, and None whenever a process has ended, until stdin is closed."""
    import select

    rest = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            yield None
        if 0 in ready:
            if not (more := os.read(0, 2**16)):
                return
            *lines, rest = (rest + more).split(b"\n")
            yield from lines


def _report_ended() -> None:
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not process:
            return
        _say("ended", process, os.waitstatus_to_exitcode(status))


def _say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def run(request: Request) -> NoReturn:
    """Run the command line as its entry point does, with the faults that are asked for."""
    os.setsid()
    os.chdir(request.folder)
    os.environ.update(request.environment)
    _redirect(0, os.devnull, os.O_RDONLY)
    _redirect(1, request.stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    _redirect(2, request.stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    sys.argv = ["mitool", *request.arguments]
    if request.counted:
        _count(request)
    if request.memory:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + request.memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if request.clock_jumps:
        _unsettle_clock(request.clock_jumps)
    _end(_exit_code())


def _exit_code() -> int:
    from mitool.cli.main import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end(code: int) -> NoReturn:
    """End, and leave out taking apart what is shared with the parent, which takes half a second."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def _redirect(stream: int, path: str, flags: int) -> None:
    opened = os.open(path, flags, 0o644)
    os.dup2(opened, stream)
    os.close(opened)


def _count(request: Request) -> None:
    """Count what changes a folder, and send the signal before the change asked for."""
    inside, done, mine = request.counted + os.sep, 0, os.getpid()
    here = request.folder + os.sep
    said = os.open(request.count_into or os.devnull, os.O_WRONLY | os.O_CREAT, 0o644)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal done
        is_write = event in WRITES or (event == "open" and arguments[2] & WRITING)
        if not is_write or os.getpid() != mine or not isinstance(arguments[0], str):
            return
        if f"{here}{arguments[0]}".startswith(inside) or arguments[0].startswith(inside):
            done += 1
            os.pwrite(said, str(done).encode(), 0)
            if done == request.struck_at:
                os.kill(mine, request.signum)

    sys.addaudithook(hook)


def _unsettle_clock(jump: float) -> None:
    import time

    true, calls = time.time, 0

    def jumping() -> float:
        nonlocal calls
        calls += 1
        return true() + jump * (-1) ** calls

    time.time = jumping


if __name__ == "__main__":
    run(serve())
