"""Where each stretch of a run was computed: a run may be resumed on another machine.

Its weights are then those of the same settings, but not to the bit: how many threads add up a sum,
and what a device or a version of torch makes of it, decides its last digits.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mitool.core.device import Device
from mitool.core.errors import InputError, plain
from mitool.storage import atomic, layout

TORCH = str(torch.__version__)

SESSIONS = "sessions"
"""Under which key ``config.json`` has them."""

WHERE = frozenset({"device", "threads", "deterministic"})
"""What says where a run computes, and may be another when it is resumed."""

Session = Mapping[str, Any]
"""From which ``step`` on it was computed, on what: ``WHERE``, and the version of ``torch``."""


def begun(earlier: Sequence[Session], device: Device, step: int) -> list[Session]:
    """The sessions of a run that goes on at a step; a new one where it computes elsewhere."""
    here = {name: value for name, value in device.describe().items() if name in WHERE}
    session = {"step": step, **here, "torch": TORCH}
    if earlier and not _differences(earlier[-1], session):
        return list(earlier)
    return [*(each for each in earlier if each["step"] < step), session]


def of_record(record: Mapping[str, Any]) -> list[Session]:
    """The sessions of a run by its ``config.json``; none where it does not say."""
    found = record.get(SESSIONS)
    if not isinstance(found, list):
        return []
    return [s for s in found if isinstance(s, dict) and isinstance(s.get("step"), int)]


def moves(folder: Path) -> tuple[str, ...]:
    """What is to be known of a run that went on elsewhere: a sentence for each time."""
    try:
        sessions = of_record(atomic.read_json(folder / layout.CONFIG))
    except InputError:  # a checkpoint may lie alone
        return ()
    return tuple(
        f"from step {now['step']} on the run was computed elsewhere ({_listed(before, now)}): its "
        "bits may differ from those of a run in one place"
        for before, now in itertools.pairwise(sessions)
    )


def _differences(before: Session, now: Session) -> list[str]:
    return [name for name in (*sorted(WHERE), "torch") if before.get(name) != now.get(name)]


def _listed(before: Session, now: Session) -> str:
    return ", ".join(
        f"{name} was {plain(str(before.get(name)))}, is {plain(str(now.get(name)))}"
        for name in _differences(before, now)
    )
