"""Which epochs are saved as checkpoints."""

from mitool.settings import TrainingSettings

DEFAULT_CHECKPOINTS = 100


def checkpoint_epochs(settings: TrainingSettings) -> frozenset[int]:
    """The epochs of the trajectory: the first, the last and those between at the cadence.

    By default about 100 of them, evenly spaced or spaced by a constant factor;
    ``checkpoint_every`` 0 gives none.
    """
    last = settings.epochs
    every = settings.checkpoint_every
    if every == 0:
        return frozenset()
    if every is not None:
        return frozenset({*range(0, last, every), last})
    if settings.checkpoint_spacing == "linear":
        return frozenset({*range(0, last, -(-last // DEFAULT_CHECKPOINTS)), last})
    steps = DEFAULT_CHECKPOINTS - 1
    return frozenset({0, *(round(last ** (i / steps)) for i in range(steps + 1))})
