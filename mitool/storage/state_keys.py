"""Names of weights in the state dicts of others, without what wrappers put in front or between.

``DataParallel`` writes ``module.`` in front of each name, ``torch.compile`` writes ``_orig_mod.``,
Lightning the attribute that holds the model, and models of several modalities their part
(``model.language_model.``). Which of these is there follows from the names that are expected.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

WRAPPERS = (
    "module",
    "_orig_mod",
    "_forward_module",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
)
"""The parts of names that belong to wrappers wherever they stand: DataParallel and
DistributedDataParallel, torch.compile, Lightning's strategies, FSDP, activation checkpointing.
"""

DEEPEST = 8
"""Parts of a prefix at most."""

MOST_TRIED = 32
"""Prefixes that are tried, those that meet most names first."""

NUMBER = re.compile(r"(?<![^.])\d+(?![^.])", re.ASCII)
"""A part of a name that is a number."""


@dataclass(frozen=True)
class Renamed:
    """The names of a state dict, brought to those that are expected.

    Attributes:
        names: the new name of each name of the state dict, in its order; no two are the same.
        prefix: what was removed in front of names, with its dot; None where nothing was.
        added: what was put in its place, which is mostly nothing.
        wrappers: the parts of names that were removed wherever they stood.
        n_matched: how many of the new names are expected.
    """

    names: Mapping[str, str]
    prefix: str | None
    added: str
    wrappers: tuple[str, ...]
    n_matched: int

    @property
    def note(self) -> str | None:
        """What was removed, for a reader; None where the names are as they were."""
        parts = [repr(self.prefix)] if self.prefix else []
        parts += [repr(f"{word}.") for word in self.wrappers]
        if not parts:
            return f"names are read with {self.added!r} in front" if self.added else None
        instead = f", {self.added!r} in its place" if self.added else ""
        return f"names are read without {' and '.join(parts)}{instead}"


def unwrapped(names: Iterable[str], expected: Collection[str]) -> Renamed | None:
    """Remove from names what wrappers added, so that most of them are names that are expected.

    A prefix is removed from the names that it begins and the others are left as they are; a name
    that is expected nowhere keeps its place in the result. Where several prefixes serve as well,
    the first in the state dict is removed, and names that are as expected stay as they are.

    Args:
        names: those of the state dict.
        expected: names of the model; ``#`` as a part of a name stands for any number.

    Returns:
        The new names, or None where none of them would be expected.
    """
    names = list(names)
    known = expected if isinstance(expected, set | frozenset) else set(expected)
    words = {word for name in known for word in name.split(".")}
    wrappers = tuple(
        word for word in WRAPPERS if word not in words and any(word in n.split(".") for n in names)
    )
    best = None
    for dropped in ((), wrappers) if wrappers else ((),):
        for prefix, added in _prefixes([_without(name, dropped) for name in names], known):
            found = _renamed(names, known, prefix, added, dropped)
            if found and (best is None or found.n_matched > best.n_matched):
                best = found
    return best if best and best.n_matched else None


def is_expected(name: str, expected: Collection[str]) -> bool:
    """Whether a name is among those expected, of which ``#`` stands for any number."""
    return name in expected or without_numbers(name) in expected


def without_numbers(name: str) -> str:
    """A name with ``#`` in the place of each part that is a number."""
    return NUMBER.sub("#", name)


def _without(name: str, wrappers: Collection[str]) -> str:
    if not wrappers:
        return name
    return ".".join(word for word in name.split(".") if word not in wrappers)


def _renamed(
    names: list[str],
    expected: Collection[str],
    prefix: str,
    added: str,
    wrappers: tuple[str, ...],
) -> Renamed | None:
    """The new names; None where two of them are the same, or the prefix is that of a few only."""
    new, n_begun, n_matched = {}, 0, 0
    for name in names:
        new[name] = bare = _without(name, wrappers)
        changed = added + bare.removeprefix(prefix)
        is_begun = bare.startswith(prefix) and (
            is_expected(changed, expected) or not is_expected(bare, expected)
        )
        new[name] = changed if is_begun else bare
        if is_expected(new[name], expected):
            n_matched += 1
            n_begun += is_begun
    is_changed = bool(prefix or added)
    if len(set(new.values())) < len(new) or (is_changed and 2 * n_begun < n_matched):
        return None
    return Renamed(new, prefix or None, added, wrappers, n_matched)


def _prefixes(names: list[str], expected: Collection[str]) -> list[tuple[str, str]]:
    """What to remove from names and what to put in its place: nothing first, then in the order of
    the names, those that put nothing in its place before the others.
    """
    in_front = _common(expected)
    counts: Counter[tuple[str, str]] = Counter()
    for name in names:
        for prefix, rest in _splits(name):
            counts.update(
                (prefix, added) for added in in_front if is_expected(added + rest, expected)
            )
    tried = [pair for pair, _ in counts.most_common(MOST_TRIED) if pair[0] != pair[1]]
    tried.sort(key=lambda pair: (bool(pair[1]), list(counts).index(pair)))
    return [("", ""), *tried]


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """A name as prefix and rest, at each of its first dots."""
    yield "", name
    for dot in islice(re.finditer(r"\.", name), DEEPEST):
        yield name[: dot.end()], name[dot.end() :]


def _common(expected: Collection[str]) -> list[str]:
    """What at least half of the names begin with, the empty text first."""
    counts = Counter(prefix for name in expected for prefix, _ in _splits(name))
    return [prefix for prefix, count in counts.items() if 2 * count >= len(expected)]
