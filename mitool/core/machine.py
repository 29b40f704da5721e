"""The machine: its cores, who uses them, and the memory that a process keeps."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

IDLE = ("idle", "iowait", "guest", "guest_nice")
"""Times of a core in which nobody uses it, and those that are counted as ``user`` already."""


def available_cores() -> int:
    """CPU cores that this process may use, by its affinity and its container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores or 1, int(quota) // int(period)))
    return cores or 1


@dataclass(frozen=True)
class CoreTimes:
    """How the cores that this process may run on were used, up to a moment.

    Attributes:
        cores: how many there are.
        at: the moment, in seconds.
        used: seconds that they were used, added up over cores.
        own: seconds of these that were this process's.
    """

    cores: int
    at: float
    used: float
    own: float

    @classmethod
    def now(cls) -> "CoreTimes":
        """Up to now; where the system does not say, as if this process alone used them."""
        own_seconds = time.process_time()
        try:
            cores = psutil.cpu_times(percpu=True)
        except OSError:
            return cls(available_cores(), time.monotonic(), own_seconds, own_seconds)
        if hasattr(os, "sched_getaffinity"):
            own = os.sched_getaffinity(0)
            cores = [times for core, times in enumerate(cores) if core in own] or cores
        used = sum(
            seconds
            for times in cores
            for name, seconds in times._asdict().items()
            if name not in IDLE
        )
        return cls(len(cores), time.monotonic(), used, own_seconds)

    def taken_since(self, before: "CoreTimes") -> float:
        """How many cores other processes took since then, on average."""
        elapsed = self.at - before.at
        others = (self.used - before.used) - (self.own - before.own)
        return max(0.0, others / elapsed) if elapsed > 0 else 0.0


LOADED = CoreTimes.now()
"""As this module was loaded, which torch makes seconds before there is anything to compute."""


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next step instead of returning it to the system.

    A step frees and takes the same tens of megabytes again, and faulting their pages in anew was
    a quarter of a training step. Freeing one block just below 32 MiB raises the thresholds above
    which glibc gives memory back, to that size and twice that (mallopt(3), M_MMAP_THRESHOLD).
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
