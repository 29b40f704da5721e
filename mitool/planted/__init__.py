"""Toy transformers whose weights are set by hand, so that their circuit is known.

They are what methods that find circuits are scored against: the edges of ``Planted.truth`` matter,
all others do not. As with Tracr's compiled models (Lindner et al. 2023, arXiv 2301.05062) the
ground truth is by construction; here most heads and neurons are distractors, alive but without
consequence, and the residual stream has no preferred basis.
"""

import importlib
from typing import TYPE_CHECKING

from mitool.core.config import nearest
from mitool.core.errors import UsageError, quoted

if TYPE_CHECKING:
    from mitool.planted.base import Planted

__all__ = ["NAMES", "plant"]

_HOMES = {
    "copy": "mitool.planted.copying",
    "min": "mitool.planted.smallest",
    "induction": "mitool.planted.induction",
    "xor": "mitool.planted.xor",
    "and": "mitool.planted.conjunction",
    "decoy": "mitool.planted.decoy",
    "backup": "mitool.planted.backup",
    "trig": "mitool.planted.trig",
}

NAMES = tuple(_HOMES)
"""The planted models, the simplest first."""


def plant(name: str) -> "Planted":
    """A planted model by its name.

    Raises:
        UsageError: there is none (the message names the nearest).
    """
    if name not in _HOMES:
        raise UsageError(f"no planted model named {quoted(name)}: {nearest(name, NAMES)}")
    found: Planted = importlib.import_module(_HOMES[name]).PLANTED
    return found
