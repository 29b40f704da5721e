"""Patterns of edges such as ``{L5H1,L5H5}->MLP*``: what they are made of, and what they fit."""

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar, get_args

from mitool.core.config import closest
from mitool.core.errors import quoted
from mitool.core.node_names import published, spelled
from mitool.core.wildcards import LONGEST, fitting
from mitool.models.decoder import Letter

T = TypeVar("T")

LETTERS: tuple[Letter, ...] = get_args(Letter)
WILDCARDS = frozenset("*?[")
BRACES = re.compile(r"\{([^{}]*)\}")
MOST_PATTERNS, MOST_LETTERS = 10_000, 1_000_000
"""Names that the braces of a pattern may stand for, and letters of all of them."""


class NodeNames(Generic[T]):
    """Nodes by their names: those that ``str`` gives, and those of files of circuits."""

    def __init__(self, nodes: Iterable[T]) -> None:
        ours = {str(node): node for node in nodes}
        theirs = {published(name): node for name, node in ours.items()}
        self._ours, self._theirs = ours, theirs
        self._known = theirs | ours
        self._folded = {name.casefold(): node for name, node in self._known.items()}

    def fitting(self, pattern: str) -> list[T]:
        """The nodes whose names fit a pattern with ``*`` and the like, in either spelling.

        A pattern with a capital is taken for one of mitool's names, and any other for one of a
        file's, where it fits one; capitals only count where that tells names apart, as ``L*`` and
        ``logits``.
        """
        folded = pattern.casefold()
        if WILDCARDS.isdisjoint(pattern):
            return [self._folded[folded]] if folded in self._folded else []
        spellings = (self._theirs, self._ours)
        for names in spellings if pattern == folded else spellings[::-1]:
            if found := fitting(pattern, names):
                return [names[name] for name in found]
        return list(dict.fromkeys(self._folded[name] for name in fitting(folded, self._folded)))

    def hint(self, names: Sequence[str]) -> str:
        """The node that the first name that is none of them may stand for, in parentheses; empty
        where all are nodes or patterns, or none is near.
        """
        literal = (name for name in names if WILDCARDS.isdisjoint(name))
        unknown = next((name for name in literal if name.casefold() not in self._folded), "")
        near = closest(spelled(unknown[:LONGEST]), self._ours)
        return f" (for {quoted(unknown)} did you mean {near!r}?)" if near else ""


def halves(pattern: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The names that the writer may have, and those of the reader, each with its letter.

    Raises:
        ValueError: what is expected of an edge, where the pattern is none.
    """
    source, arrow, target = pattern.partition("->")
    if not arrow or not source.strip() or not target.strip():
        raise ValueError("expected WRITER->READER such as 'L9H1->MLP9' or 'L*H*->L5H5<q>'")
    readers = []
    for name in _expanded(target):
        node, bracket, letter = name.partition("<")
        if bracket and (letter[-1:] != ">" or letter[:-1] not in (*LETTERS, "*")):
            raise ValueError("expected <q>, <k> or <v> after a head")
        readers.append((node, letter[:-1] or "*"))
    return _expanded(source), readers


def _expanded(pattern: str) -> list[str]:
    """What braces stand for: ``MLP{1,3}`` is ``MLP1`` and ``MLP3``.

    Raises:
        ValueError: what is expected of braces, where these are none.
    """
    parts = BRACES.split("".join(pattern.split()))
    if any(mark in part for part in parts for mark in "{}"):
        raise ValueError("expected braces such as {L1H0,MLP2}")
    choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    n_names = math.prod(map(len, choices))
    n_letters = sum(n_names // len(of) * sum(map(len, of)) for of in choices)
    if n_names > MOST_PATTERNS or n_letters > MOST_LETTERS:
        raise ValueError(
            f"expected braces such as {{L1H0,MLP2}}, for at most {MOST_PATTERNS:,} names"
        )
    return list(dict.fromkeys(map("".join, itertools.product(*choices))))
