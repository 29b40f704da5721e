"""Running out of memory, on any device, as an error with a remedy."""

import contextlib
from collections.abc import Iterator

import torch

from mitool.core.errors import RunError

OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc", "Cannot allocate memory")
"""What libraries say that have errors of no kind for it."""

NO_THREAD = "can't start new thread"


@contextlib.contextmanager
def out_of_memory_is_an_error(remedy: str) -> Iterator[None]:
    """Turn running out of memory, on any device, into a ``RunError`` that ends in ``remedy``."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as failure:
        if not is_out_of_memory(failure):
            raise
        what = "memory for another thread" if NO_THREAD in str(failure) else "memory"
        raise RunError(f"out of {what}; {remedy}") from failure


def is_out_of_memory(failure: Exception) -> bool:
    """Whether that is what went wrong, on any device."""
    said = any(words in str(failure) for words in (*OUT_OF_MEMORY, NO_THREAD))
    return said or isinstance(failure, MemoryError | torch.OutOfMemoryError)
