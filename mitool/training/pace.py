"""How fast a run goes beside other work, and on how many threads.

Threads of torch that wait for each other spin, which is fastest where each has a core. Where other
processes use the cores too, a thread spins while the one that it waits for stands still, and steps
become ten to fifty times as slow. So a run takes as many threads as there are cores that others
leave free. Whether it computes the same bits with as many it tries first: where it does not, a run
for which a number was asked for keeps it, and any other takes fewer once, which is recorded.
"""

import statistics
from collections.abc import Callable

import torch

from mitool.core.machine import LOADED, CoreTimes

LOOK = 0.5
"""Seconds of training between looks at the machine."""

FRESH = 10.0
"""Seconds for which what was seen as the program was loaded says something of now."""

SPARE = 0.4
"""Of a core that others may take without being in the way."""

PATIENCE = 4
"""Looks in a row that must find a core free before it is taken again."""

SOME = 3
"""Looks of which the median is a speed."""

FAR = 4.0
"""How many times as slow as at their best steps must be to be told of."""

MOST_TOLD = 3
"""Changes of threads that are told of."""


class Pace:
    """The threads and the speed of a run.

    Attributes:
        threads: that it computes with now.
        warnings: what a reader of its result must know.
    """

    def __init__(
        self,
        most: int,
        has_same_bits: Callable[[int], bool] | None,
        *,
        keeps_bits: bool = True,
    ) -> None:
        """Prepare to follow a run.

        Args:
            most: threads that it may take.
            has_same_bits: whether it computes the same with so many threads as with the most; None
                of a run whose threads do not wait for each other, which takes the most.
            keeps_bits: whether it is to wait for other processes rather than to change its bits.
        """
        self.threads = self._most = most
        self.warnings: list[str] = []
        self._has_same_bits = has_same_bits
        self._keeps_bits = keeps_bits
        self._known = {self._most: True}
        self._before = CoreTimes.now()
        self._steps, self._seconds = 0, 0.0
        self._rates: list[float] = []
        self._best = 0.0
        self._n_free = 0
        self._n_told = 0
        self._is_slow = False

    def begin(self) -> str | None:
        """Take the threads to begin with; what a user is to be told."""
        if self._before.at - LOADED.at > FRESH:
            return None
        return self._take(self._before.taken_since(LOADED), patience=0)

    def ran(self, steps: int, seconds: float) -> str | None:
        """Look at the machine, if it is time, after some steps; what a user is to be told."""
        self._steps += steps
        self._seconds += seconds
        if self._seconds < LOOK or not self._steps:
            return None
        now = CoreTimes.now()
        taken = now.taken_since(self._before)
        self._rates = [*self._rates[1 - SOME :], self._steps / self._seconds]
        self._before, self._steps, self._seconds = now, 0, 0.0
        return self._take(taken, PATIENCE) or self._slowed(taken)

    def _take(self, taken: float, patience: int) -> str | None:
        """Take as many threads as others leave cores for; more only after some patience."""
        if self._most == 1 or self._has_same_bits is None:
            return None
        free = min(self._most, max(1, int(self._before.cores - taken + SPARE)))
        self._n_free = self._n_free + 1 if free > self.threads else 0
        if free == self.threads or (free > self.threads and self._n_free <= patience):
            return None
        others = f"other processes use {taken:z.1f} of {self._before.cores} cores"
        if free not in self._known:
            self._known[free] = self._has_same_bits(free)
        if not self._known[free] and self._keeps_bits:
            return self._warn(
                f"{others}, so that threads wait for each other: --threads {free} may be faster, "
                "but the weights would differ in their last bits"
            )
        if not (self._known[self.threads] and (self._known[free] or free < self.threads)):
            return None  # of other bits there is one change, to fewer threads
        self.threads = free
        torch.set_num_threads(free)
        self._rates = []
        going_on = f"{others}: continuing with {free} of {self._most} threads"
        if self.has_other_bits:
            told = f"{going_on}; the weights differ in their last bits from those of a run alone"
            self.warnings.append(told)
            return told
        self._n_told += 1
        return f"{going_on}, which give the same bits" if self._n_told <= MOST_TOLD else None

    @property
    def has_other_bits(self) -> bool:
        """Whether the threads of now give other bits than those that the run was given."""
        return not self._known[self.threads]

    def _slowed(self, taken: float) -> str | None:
        """Tell of steps that have become far slower than they were."""
        if len(self._rates) < SOME:
            return None
        rate = statistics.median(self._rates)
        self._best = max(self._best, rate)
        is_slow = rate * FAR < self._best
        is_new, self._is_slow = is_slow and not self._is_slow, is_slow
        if not is_new:
            return None
        why = "no other process explains it; the machine may be throttled or short of memory"
        if taken > SPARE:
            why = (
                f"other processes use {taken:z.1f} of {self._before.cores} cores; run fewer at "
                "once, or give each --threads 1"
            )
        return self._warn(
            f"training has slowed down from {self._best:z.3g} to {rate:z.3g} steps a second: {why}"
        )

    def _warn(self, text: str) -> str | None:
        """Warn, of whatever it is first: one such warning is enough."""
        if self.warnings:
            return None
        self.warnings.append(text)
        return text
