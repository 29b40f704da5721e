"""A model as a graph: what writes to the residual stream, and what reads it.

Names are those of the EAP-IG code (Hanna et al. 2024, arXiv 2403.17806): ``input``, ``a3.h1``,
``m3``, ``logits``; an edge is ``a1.h0->m3``, into a head ``a1.h0->a3.h1<q>``.
"""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mitool.errors import UsageError, first_few, quoted
from mitool.models.decoder import Decoder, Letter
from mitool.wildcards import fitting

LETTERS: tuple[Letter, ...] = get_args(Letter)
WILDCARDS = frozenset("*?[")
BRACES = re.compile(r"\{([^{}]*)\}")
MOST_PATTERNS, MOST_LETTERS = 10_000, 1_000_000
"""Names that the braces of a pattern may stand for, and letters of all of them."""

MOST_NAMES = 30_000
"""Names that all patterns together may stand for, beside one on either side of each."""

Faults = Mapping[str, Sequence[int]]
"""What is wrong with patterns, each with the places in their list of those that it is wrong of."""


@dataclass(frozen=True)
class Node:
    """What writes, or reads.

    Attributes:
        kind: ``a`` is a head.
    """

    kind: Literal["input", "a", "m", "logits"]
    layer: int = 0
    head: int = 0

    def is_before(self, layer: int) -> bool:
        """Whether it has written when a layer begins."""
        return self.kind == "input" or (self.kind != "logits" and self.layer < layer)

    def __str__(self) -> str:
        match self.kind:
            case "a":
                return f"a{self.layer}.h{self.head}"
            case "m":
                return f"m{self.layer}"
        return self.kind


@dataclass(frozen=True)
class Edge:
    """From a writer to a reader; of a head that reads ``letter`` says by what."""

    source: Node
    target: Node
    letter: Letter | None = None

    @property
    def letters(self) -> tuple[Letter, ...]:
        return () if self.letter is None else (self.letter,)

    def __str__(self) -> str:
        return f"{self.source}->{self.target}" + (f"<{self.letter}>" if self.letter else "")


@dataclass(frozen=True)
class Graph:
    """All nodes and edges of a model."""

    n_layers: int
    n_heads: int
    has_mlp: bool
    is_parallel: bool

    @classmethod
    def of(cls, decoder: Decoder) -> "Graph":
        return cls(decoder.n_layers, decoder.n_heads, decoder.has_mlp, decoder.is_parallel)

    @property
    def writers(self) -> list[Node]:
        """In the order in which they are computed."""
        return [Node("input"), *self._blocks()]

    @property
    def readers(self) -> list[Node]:
        """Likewise."""
        return [*self._blocks(), Node("logits")]

    def reads(self, target: Node, source: Node) -> bool:
        """Whether what ``source`` writes is there when ``target`` reads."""
        if target.kind == "input" or source.kind == "logits":
            return False
        if target.kind == "logits" or source.kind == "input":
            return True
        if source.layer != target.layer:
            return source.layer < target.layer
        return source.kind == "a" and target.kind == "m" and not self.is_parallel

    def edges(self) -> Iterator[Edge]:
        """Reader by reader."""
        for target in self.readers:
            for letter in LETTERS if target.kind == "a" else (None,):
                for source in self.writers:
                    if self.reads(target, source):
                        yield Edge(source, target, letter)

    def matching(self, patterns: Sequence[str], option: str) -> list[Edge]:
        """The edges that patterns such as ``{a5.h1,a5.h5}->m*`` name, in their order in the graph.

        Args:
            option: named in messages.

        Raises:
            UsageError: patterns are no edges, or none of this model's.
        """
        edges, faults = self.named(patterns)
        if faults:
            raise UsageError(f"{option} {in_words(faults, [quoted(text) for text in patterns])}")
        return edges

    def named(self, patterns: Sequence[str]) -> tuple[list[Edge], Faults]:
        """The edges that patterns name, in their order in the graph, and what is wrong with
        patterns that name none.
        """
        chosen, faults, n_names = set[Edge](), dict[str, list[int]](), 0
        writers, readers = ({str(node): node for node in of} for of in (self.writers, self.readers))
        for place, pattern in enumerate(patterns):
            try:
                sources, targets = _halves(pattern)
                n_names += len(sources) + len(targets) - 2
                if n_names > MOST_NAMES:
                    raise ValueError(f"expected patterns of at most {MOST_NAMES:,} names in all")
                from_ = {node: None for name in sources for node in _fitting(name, writers)}
                into = {(n, own): None for name, own in targets for n in _fitting(name, readers)}
                found = self._between(from_, into)
                fault = "" if found else self._no_such_edge()
            except ValueError as failure:
                found, fault = set(), str(failure)
            chosen |= found
            if fault:
                faults.setdefault(fault, []).append(place)
        return [edge for edge in self.edges() if edge in chosen] if chosen else [], faults

    def _between(self, sources: Iterable[Node], targets: Iterable[tuple[Node, str]]) -> set[Edge]:
        """The edges from writers to readers, of heads by a letter or by ``*``, all of them."""
        return {
            Edge(source, target, own)
            for target, letter in targets
            for own in (LETTERS if target.kind == "a" else (None,))
            if letter in ("*", own)
            for source in sources
            if self.reads(target, source)
        }

    def _blocks(self) -> Iterator[Node]:
        for layer in range(self.n_layers):
            yield from (Node("a", layer, head) for head in range(self.n_heads))
            if self.has_mlp:
                yield Node("m", layer)

    def _no_such_edge(self) -> str:
        heads = [str(node) for node in self.writers if node.kind == "a"]
        mlps = [str(node) for node in self.writers if node.kind == "m"]
        spans = [
            " to ".join(dict.fromkeys((names[0], names[-1]))) for names in (heads, mlps) if names
        ]
        return (
            f"this model has no such edge: its nodes are input, {', '.join(spans)} and logits, and "
            "a writer comes before its reader"
        )


def in_words(faults: Faults, names: Sequence[str]) -> str:
    """What is wrong with patterns, each called by its name."""
    return "; ".join(
        f"{first_few([names[place] for place in places])}: {fault}"
        for fault, places in faults.items()
    )


def _halves(pattern: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The names that the writer may have, and those of the reader, each with its letter.

    Raises:
        ValueError: what is expected of an edge, where the pattern is none.
    """
    source, arrow, target = pattern.partition("->")
    if not arrow or not source.strip() or not target.strip():
        raise ValueError("expected WRITER->READER such as 'a9.h1->m9' or 'a*.h*->a5.h5<q>'")
    readers = []
    for name in _expanded(target.strip()):
        node, bracket, letter = name.partition("<")
        if bracket and (letter[-1:] != ">" or letter[:-1] not in (*LETTERS, "*")):
            raise ValueError("expected <q>, <k> or <v> behind a head")
        readers.append((node, letter[:-1] or "*"))
    return _expanded(source.strip()), readers


def _fitting(pattern: str, nodes: Mapping[str, Node]) -> list[Node]:
    """The nodes whose names fit a pattern with ``*`` and the like."""
    if pattern in nodes:
        return [nodes[pattern]]
    if WILDCARDS.isdisjoint(pattern):
        return []
    return [nodes[name] for name in fitting(pattern, nodes)]


def _expanded(pattern: str) -> list[str]:
    """What braces stand for: ``m{1,3}`` is ``m1`` and ``m3``.

    Raises:
        ValueError: what is expected of braces, where these are none.
    """
    parts = BRACES.split(pattern)
    if any(mark in part for part in parts for mark in "{}"):
        raise ValueError("expected braces such as {a1.h0,m2}")
    choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    n_names = math.prod(map(len, choices))
    n_letters = sum(n_names // len(of) * sum(map(len, of)) for of in choices)
    if n_names > MOST_PATTERNS or n_letters > MOST_LETTERS:
        raise ValueError(
            f"expected braces such as {{a1.h0,m2}}, for at most {MOST_PATTERNS:,} names"
        )
    return [name.strip() for name in dict.fromkeys(map("".join, itertools.product(*choices)))]
