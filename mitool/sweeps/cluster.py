"""Points as tasks of a Ray cluster, which schedules them and runs those of lost workers again."""

import contextlib
import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mitool.core.errors import RunError, UsageError, plain, said
from mitool.storage import layout
from mitool.sweeps.base import Command, End, Job, run_here

MOST_RETRIES = 3
"""Times that a job is run again whose worker was lost."""

SECONDS_OF_A_TICK = 1.0
SECONDS_TO_SAVE = 60.0
"""After which a job that was told to end is left to end with its worker."""

SECONDS_TO_ANSWER = 10.0
VARIABLE = "RAY_ADDRESS"
"""Where Ray looks first for the cluster that ``auto`` is."""

ADDRESS = re.compile(r"(ray://)?(\[[^\[\]\s]+\]|[^\[\]\s:/]+):\d{1,5}")
"""A host, or one of IPv6 in brackets, with its port."""

INSTALL = "pip install 'mitool[ray]'"


@dataclass(frozen=True)
class RayRunner:
    """Runs each job as a task, in a worker of the cluster.

    Attributes:
        address: ``auto`` or the cluster's.
        threads: CPUs of a job.
        gpus: of a job; may be a fraction.
    """

    command: Command
    address: str
    threads: int
    gpus: float = 0.0

    @contextlib.contextmanager
    def available(self) -> Iterator[None]:
        """Connect to the cluster; see ``Runner``.

        Raises:
            RunError: Ray is not installed, no cluster is at the address, or no node of it has so
                many CPUs and GPUs.
        """
        with _connected(self.address) as ray:
            _require_room(ray, self.threads, self.gpus)
            yield

    def run(
        self, jobs: Sequence[Job], tick: Callable[[], None]
    ) -> Generator[tuple[Job, End], None, None]:
        """See ``Runner``."""
        import ray

        task = ray.remote(
            num_cpus=self.threads,
            num_gpus=self.gpus,
            max_retries=MOST_RETRIES,
            retry_exceptions=False,
        )(_task)
        waiting = {task.options(name=job.point.name).remote(self.command, job): job for job in jobs}
        try:
            while waiting:
                ended, _ = ray.wait(list(waiting), timeout=SECONDS_OF_A_TICK)
                for reference in ended:
                    yield waiting.pop(reference), _end(ray, reference)
                tick()
        finally:
            _stop(ray, list(waiting))


def require_address(address: str) -> None:
    """Check that this could be the address of a cluster.

    Raises:
        UsageError: it could not.
    """
    if address != "auto" and not ADDRESS.fullmatch(address):
        raise UsageError(f"--ray: expected auto, HOST:PORT or ray://HOST:PORT, found {address!r}")


def require_gpus(gpus: float) -> None:
    """Check that so many GPUs can be shared out.

    Raises:
        UsageError: they cannot: it is below 0, or a fraction above 1.
    """
    if not 0 <= gpus < float("inf") or (gpus > 1 and gpus != int(gpus)):
        raise UsageError(
            f"--gpus-per-point: expected a share from 0 to 1, or a whole number, found {gpus:zg}"
        )


def _task(command: Command, job: Job) -> int:
    """A job, in a worker."""
    sweep = job.log.parent.parent
    if not (sweep / layout.CONFIG).is_file():
        raise FileNotFoundError(
            f"{sweep}: is not there on a node of the cluster; choose an --out that all nodes see, "
            "on a file system that they share"
        )
    return run_here(command, job)


def _end(ray: Any, reference: Any) -> End:
    try:
        return End(ray.get(reference))
    except ray.exceptions.RayTaskError as failure:
        cause = failure.cause or failure
        return End(1, plain((str(cause).strip().splitlines() or [type(cause).__name__])[-1]))
    except ray.exceptions.WorkerCrashedError:
        return End(1, f"its worker was lost {MOST_RETRIES + 1} times")
    except ray.exceptions.RayError as failure:
        return End(1, said(failure))


def _stop(ray: Any, references: list[Any]) -> None:
    """Have running jobs save and end, and wait for them."""
    for reference in references:
        ray.cancel(reference, recursive=False)
    if references:
        ray.wait(references, num_returns=len(references), timeout=SECONDS_TO_SAVE)


def _require_room(ray: Any, threads: int, gpus: float) -> None:
    """Check that some node can run a job, which would otherwise wait for ever."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(n.get("CPU", 0) >= threads and n.get("GPU", 0) >= gpus for n in nodes):
        shown = "; ".join(f"{n.get('CPU', 0):zg} CPUs, {n.get('GPU', 0):zg} GPUs" for n in nodes)
        raise RunError(
            f"expected a node of the cluster with {threads} CPUs and {gpus:zg} GPUs for a point, "
            f"found {shown}; lower --threads or --gpus-per-point, or add a node"
        )


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster for the time of a sweep.

    What it says of workers meanwhile, which it prints, goes to stderr.
    """
    try:
        import ray
    except ImportError:
        raise RunError(f"--ray needs Ray, which is not installed; {INSTALL}") from None
    try:
        _require_listening(address)
        with _own_signals():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, OverflowError, RuntimeError, ValueError) as failure:
        raise RunError(
            f"--ray {address}: no Ray cluster answers there "
            f"({said(failure)}); start one with ray start "
            "--head, or give the address of one that runs"
        ) from None
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield ray
    finally:
        with _own_signals():
            ray.shutdown()


def _require_listening(address: str) -> None:
    """Check that something listens at the address, of which Ray would take minutes to despair.

    Raises:
        OSError: nothing does.
        OverflowError: its port is no port.
    """
    known = os.environ.get(VARIABLE, address) if address == "auto" else address
    host, _, port = known.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of signals, of which Ray sets some."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
