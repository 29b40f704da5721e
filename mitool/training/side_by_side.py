"""Models that have nothing in common, trained side by side: each on whichever thread is free."""

import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, runtime_checkable

from mitool.training.learner import E, Learner

PATIENCE = 0.25
"""Seconds for which models are trained before anything else is looked at."""


@runtime_checkable
class Trainable(Protocol):
    """Some models that are trained on one thread at a time."""

    def train(self, start: int, stop: int) -> None:
        """Take the steps ``start`` to ``stop - 1``."""


class SideBySide(Learner[E]):
    """A learner of several models; its epochs are steps.

    Attributes:
        n_drawn: how many steps' examples are drawn at a time.
    """

    unit = "step"
    spins = False
    n_drawn: int = 1
    _pace: int = 1

    @property
    @abstractmethod
    def trainables(self) -> Sequence[Trainable]:
        """All that there is to train."""

    @property
    @abstractmethod
    def n_threads(self) -> int:
        """How many of them are trained at a time."""

    @property
    def steps_per_epoch(self) -> int:
        return 1

    def begin(self, step: int) -> None:
        """Nothing is to be done: a step needs nothing but its number."""

    def is_done(self, history: Sequence[E]) -> bool:
        return False

    def train(
        self, epoch: int, batch: int, until: int, stop: Callable[[], bool]
    ) -> tuple[int, int]:
        n_steps = max(self._pace, self.n_drawn)
        end = min(until, (epoch + n_steps) // self.n_drawn * self.n_drawn)
        started = time.perf_counter()
        self.train_all(epoch, end)
        self.device.synchronise()
        elapsed = time.perf_counter() - started
        self._pace = max(1, int(PATIENCE * (end - epoch) / elapsed))
        return end, 0

    def train_all(self, start: int, stop: int) -> None:
        """Take the steps ``start`` to ``stop - 1`` of all models."""
        left = deque(self.trainables)

        def work() -> None:
            for trainable in _taken(left):
                trainable.train(start, stop)

        n_threads = min(self.n_threads, len(left))
        with self.device.with_threads(1), ThreadPoolExecutor(n_threads) as pool:
            for done in [pool.submit(work) for _ in range(n_threads)]:
                done.result()


def _taken(left: deque[Trainable]) -> Iterator[Trainable]:
    """Those that no other thread has taken."""
    while True:
        try:
            yield left.popleft()
        except IndexError:
            return
