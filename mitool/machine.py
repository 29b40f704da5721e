"""The machine: its cores, and the memory that a process keeps."""

import contextlib
import os
from pathlib import Path

import torch


def available_cores() -> int:
    """CPU cores that this process may use, by its affinity and its container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores or 1, int(quota) // int(period)))
    return cores or 1


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next step instead of returning it to the system.

    A step frees and takes the same tens of megabytes again, and faulting their pages in anew was
    a quarter of a training step. Freeing one block just below 32 MiB raises the thresholds above
    which glibc gives memory back, to that size and twice that (mallopt(3), M_MMAP_THRESHOLD).
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
