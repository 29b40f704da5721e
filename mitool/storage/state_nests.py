"""Where in what torch saved a state dict lies: alone, beside other things, or as one of several."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mitool.core.errors import InputError, UsageError, first_few, quoted

NESTS = ("model", "state_dict", "model_state_dict", "model_state", "net", "network", "weights")
"""Under which key a state dict lies beside an optimiser, losses and the like, the likeliest
first; under other keys it is found too, where it is the only one.
"""

SERIES = ("state_dicts", "model_state_dicts", "model_checkpoints", "checkpoints", "models")
"""Under which key the state dicts of a training's steps lie."""

BESIDE = re.compile("optim|sched|scaler|callback|loop|rng|hyper|metric|loss|grad", re.I)
"""What keys of other things than weights contain."""

PLAIN = (bool, int, float, str)
"""What a state dict may hold beside tensors, to be dropped."""

DEEPEST = 8
"""Levels of a file that are searched."""

REMEDY = "save the state dict alone: torch.save(model.state_dict(), FILE)"


@dataclass(frozen=True)
class Nested:
    """A state dict where it was found.

    Attributes:
        weights: the state dict.
        beside: what lies around it, the nearest level first.
        notes: which of several it is.
        is_of_series: it was one of several, at a step of a training.
    """

    weights: Mapping[str, Tensor]
    beside: Sequence[Mapping[Any, Any]] = ()
    notes: tuple[str, ...] = field(default=())
    is_of_series: bool = False


def found_in(held: Any, index: int | None = None, *, has_index: bool = True) -> Nested:
    """The state dict in what torch saved.

    Args:
        index: which of several, negative from the last; None where there is one.
        has_index: whether the reader of a message can say which.

    Raises:
        InputError: there is none, or several.
        UsageError: ``index`` is beyond them, or there are not several.
    """
    level, where, asked = held, "", index
    beside: list[Mapping[Any, Any]] = []
    notes: tuple[str, ...] = ()
    is_of_series = False
    for _ in range(DEEPEST):
        if (several := _series(level)) is not None:
            level, own = _picked(several, asked, where, has_index=has_index)
            notes = (*notes, *own)
            where, asked, is_of_series = "", None, True
            continue
        key = _next_key(level, asked is not None) if isinstance(level, dict) else None
        if key is None:
            break
        beside.insert(0, level)
        notes = (*notes, *_unread(level, key))
        level, where = level[key], f"under {quoted(str(key))}"
    weights, dropped = _tensors(level, where)
    if asked is not None:
        raise UsageError(
            f"--index: found {asked}, but the file holds one state dict and no list of them; "
            "leave it out"
        )
    return Nested(weights, tuple(beside), (*notes, *dropped), is_of_series)


def _unread(level: Mapping[Any, Any], key: Any) -> tuple[str, ...]:
    """A note of the other state dicts beside the one that is read; an optimiser's is none."""
    others = [
        quoted(str(name))
        for name, value in level.items()
        if name != key and _is_nest(value) and not BESIDE.search(str(name))
    ]
    if not others:
        return ()
    return (f"of several state dicts {quoted(str(key))} is read, and not {first_few(others)}",)


def _series(level: Any) -> list[Any] | None:
    """Several state dicts, in a list or by the step of a training."""
    if isinstance(level, list | tuple):
        return list(level)
    is_numbered = isinstance(level, dict) and bool(level) and all(type(k) is int for k in level)
    return list(level.values()) if is_numbered and all(map(_is_nest, level.values())) else None


def _picked(
    several: list[Any], index: int | None, where: str, *, has_index: bool
) -> tuple[Any, tuple[str, ...]]:
    """One of several state dicts, and a note that says which."""
    count = len(several)
    others = sorted({type(one).__name__ for one in several if not _is_nest(one)})
    if others or not several:
        kind = f"a list with {', '.join(others)} in it" if several else "an empty list"
        where = where or "in the file"
        raise InputError(
            f"expected a state dict, or a list of them, {where}; found {kind}; {REMEDY}"
        )
    if index is None and count > 1:
        by_index = (
            f"say which with --index, from 0 to {count - 1}, or from -1, the last, to -{count}"
        )
        raise InputError(
            f"expected one state dict, found a list of {count}; {by_index if has_index else REMEDY}"
        )
    if index is not None and not -count <= index < count:
        raise UsageError(
            f"--index: expected -{count} <= index < {count}, as the file holds {count} state "
            f"dict{'s' * (count > 1)}; found {index}"
        )
    place = (index or 0) % count
    which = f"number {place} of 0 to {count - 1}" if count > 1 else "the only one"
    return several[place], (f"of the list of {count} in the file, {which} is read",)


def _is_nest(value: Any) -> bool:
    return isinstance(value, dict) and _holds(value)


def _next_key(level: Mapping[Any, Any], is_of_series: bool) -> Any:
    """The key to look under, or None where the level is the state dict, or nothing is deeper."""
    deeper = [
        key for key, value in level.items() if _holds(value) and not isinstance(value, Tensor)
    ]
    several = [key for key in deeper if _series(level[key]) is not None]
    by_name = [key for key in NESTS if key in deeper and key not in several]
    of_series = [key for key in SERIES if key in several] or [
        key for key in several if not BESIDE.search(str(key))
    ]
    ranked = [*of_series, *by_name] if is_of_series else [*by_name, *of_series]
    if ranked:
        return ranked[0]
    if any(isinstance(value, Tensor) for value in level.values()):
        return None
    others = [key for key in deeper if not BESIDE.search(str(key))]
    if len(others) > 1:
        named = first_few([quoted(str(key)) for key in others])
        raise InputError(f"expected one state dict, found several, under {named}; {REMEDY}")
    empty = [key for key in NESTS if isinstance(level.get(key), dict)]
    return next(iter([*others, *empty]), None)


def _holds(value: Any) -> bool:
    """Whether there is a tensor in a value, at whatever level; each part is looked at once, as
    a small file can repeat one without bounds.
    """
    seen, left = set(), [value]
    while left:
        one = left.pop()
        if isinstance(one, Tensor):
            return True
        if isinstance(one, dict | list | tuple) and id(one) not in seen:
            seen.add(id(one))
            left.extend(one.values() if isinstance(one, dict) else one)
    return False


def _tensors(level: Any, where: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors of a state dict by their names, and a note on the plain values among them, such
    as the number of an epoch.

    Raises:
        InputError: it is none, or holds something else.
    """
    where = where or f"in the file, or under one of {', '.join(NESTS)}"
    if not isinstance(level, dict) or not level:
        kind = "an empty one" if level == {} else f"a {type(level).__name__}"
        raise InputError(f"expected a state dict {where}; found {kind}; {REMEDY}")
    weights = {name: one for name, one in level.items() if isinstance(one, Tensor)}
    plain = [k for k, v in level.items() if v is None or isinstance(v, PLAIN)] if weights else []
    for name, value in level.items():
        if not isinstance(name, str) or (name not in weights and name not in plain):
            raise InputError(
                f"expected a state dict of tensors {where}; found {str(name)[:80]!r} of "
                f"type {type(value).__name__}; {REMEDY}"
            )
    listed = first_few([quoted(name) for name in plain])
    return weights, (f"left out of the state dict, as no tensors: {listed}",) if plain else ()
