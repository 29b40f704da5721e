"""Points as processes of this machine, which share its cores."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from mitool.core.errors import UsageError
from mitool.core.machine import available_cores
from mitool.sweeps.base import Command, End, Job, run_here

SECONDS_OF_A_TICK = 1.0
THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
STDERR = 2

METHOD = "forkserver" if sys.platform == "linux" else "spawn"
"""How processes start; libraries of other systems do not outlive a fork."""


@dataclass(frozen=True)
class LocalRunner:
    """Runs each job in a process of its own.

    Where the system can, the processes are forks of one that has loaded ``preloaded`` and done
    nothing with it: loading it anew takes seconds.

    Attributes:
        jobs: processes at once.
        threads: of each.
        preloaded: names of modules.
    """

    command: Command
    jobs: int
    threads: int
    preloaded: tuple[str, ...] = ()

    def available(self) -> AbstractContextManager[object]:
        """See ``Runner``."""
        return contextlib.nullcontext()

    def run(
        self, jobs: Sequence[Job], tick: Callable[[], None]
    ) -> Generator[tuple[Job, End], None, None]:
        """See ``Runner``."""
        context: Any = multiprocessing.get_context(METHOD)
        context.set_forkserver_preload(list(self.preloaded))
        waiting, running = list(reversed(jobs)), dict[int, tuple[Job, BaseProcess]]()
        try:
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    job = waiting.pop()
                    process = context.Process(target=_child, args=(self.command, job), daemon=True)
                    with _one_thread(), _no_script():
                        process.start()
                    running[process.sentinel] = job, process
                for sentinel in wait(list(running), SECONDS_OF_A_TICK):
                    assert isinstance(sentinel, int)
                    job, process = running.pop(sentinel)
                    process.join()
                    yield job, _end(process)
                tick()
        finally:
            _stop([process for _, process in running.values()])


def shared_cores(n_points: int, jobs: int | None, threads: int | None) -> tuple[int, int]:
    """How many points run at once, and the threads of each, so that every thread has a core.

    Args:
        jobs: as asked for; as many as there are cores for if left out.
        threads: the same.

    Raises:
        UsageError: there are fewer cores.
    """
    cores = available_cores()
    if threads is None:
        jobs = min(cores, n_points) if jobs is None else jobs
        threads = max(1, cores // jobs)
    elif jobs is None:
        jobs = max(1, min(cores // threads, n_points))
    if jobs * threads > cores:
        raise UsageError(
            f"expected at most {cores} threads (this machine's cores), found --jobs {jobs} times "
            f"--threads {threads}; leave one of them out to have it fit the other"
        )
    return jobs, threads


def _child(command: Command, job: Job) -> None:
    """A job, in its process.

    A signal from the terminal is for the sweep, which passes it on once: a second one would end
    the run before it is saved.
    """
    if hasattr(os, "setsid"):
        os.setsid()
    threading.Thread(target=_end_with_the_sweep, daemon=True).start()
    with job.log.open("ab") as log:
        os.dup2(log.fileno(), STDERR)
    sys.exit(run_here(command, job))


def _end_with_the_sweep() -> None:
    """Save and end once the sweep is gone, so that nobody else has to end this process."""
    sweep = multiprocessing.parent_process()
    assert sweep is not None
    sweep.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _end(process: BaseProcess) -> End:
    code = process.exitcode
    assert code is not None
    if code >= 0:
        return End(code)
    name = signal.Signals(-code).name
    memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return End(code, f"killed by {name}{memory}")


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Have the processes save and end, and wait; a second interrupt does not."""
    for process in processes:
        process.terminate()
    try:
        for process in processes:
            process.join()
    except BaseException:  # an interrupt, whichever way it arrives
        for process in processes:
            process.kill()
        raise


@contextlib.contextmanager
def _no_script() -> Iterator[None]:
    """Have a process that is started meanwhile not run the script that this one runs: it needs
    nothing of it, and a script that starts a sweep when it is loaded would start it again.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Have libraries that are loaded meanwhile, in a process started here, make no threads, which
    a fork would lose; torch is told how many it may have when a run begins.
    """
    before = {name: os.environ.get(name) for name in THREAD_LIMITS}
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
