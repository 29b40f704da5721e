"""A model as a graph: what writes to the residual stream, and what reads it.

Its nodes are ``input``, heads such as ``L3H1``, MLPs such as ``MLP3``, and ``logits``; an edge is
``L1H0->MLP3``, into a head ``L1H0->L3H1<q>``. The names of files, ``a1.h0->m3``, are read as well:
see ``mitool.core.node_names``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mitool.analysis.interventions.patterns import LETTERS, NodeNames, halves
from mitool.core.errors import UsageError, first_few, quoted
from mitool.core.node_names import head_name, mlp_name
from mitool.models.decoder import Decoder, Letter

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
                return head_name(self.layer, self.head)
            case "m":
                return mlp_name(self.layer)
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
        """The edges that patterns such as ``{L5H1,L5H5}->MLP*`` name, in their order in the graph.

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
        writers, readers = NodeNames(self.writers), NodeNames(self.readers)
        no_such_edge = ""
        for place, pattern in enumerate(patterns):
            try:
                sources, targets = halves(pattern)
                n_names += len(sources) + len(targets) - 2
                if n_names > MOST_NAMES:
                    raise ValueError(f"expected patterns of at most {MOST_NAMES:,} names in all")
                from_ = {node: None for name in sources for node in writers.fitting(name)}
                into = {(n, own): None for name, own in targets for n in readers.fitting(name)}
                found = self._between(from_, into)
                if not found and not no_such_edge:
                    hint = writers.hint(sources) or readers.hint([name for name, _ in targets])
                    no_such_edge = f"this model has no such edge{hint}: {self._what_there_is()}"
                fault = "" if found else no_such_edge
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

    def _what_there_is(self) -> str:
        heads = [str(node) for node in self.writers if node.kind == "a"]
        mlps = [str(node) for node in self.writers if node.kind == "m"]
        spans = [
            " to ".join(dict.fromkeys((names[0], names[-1]))) for names in (heads, mlps) if names
        ]
        return (
            f"its nodes are input, {', '.join(spans)} and logits, and a writer comes before its "
            "reader"
        )


def in_words(faults: Faults, names: Sequence[str]) -> str:
    """What is wrong with patterns, each called by its name."""
    return "; ".join(
        f"{first_few([names[place] for place in places])}: {fault}"
        for fault, places in faults.items()
    )
