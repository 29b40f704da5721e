"""Patterns of edges, paths and sites: wildcards and braces."""

import fnmatch
import itertools
import re
from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from mitool.analysis.interventions.graph import Edge, Graph, Node
from mitool.analysis.interventions.patterns import MOST_PATTERNS
from mitool.core.errors import UsageError
from tests.fuzz.commands import Commands, accepted
from tests.fuzz.profiles import fuzzed

GRAPH = Graph(n_layers=3, n_heads=3, has_mlp=True, is_parallel=False)
SOUP = st.text("amhLHMPinputlogs0123.*?[]!{},-><qkv# ", max_size=24)
NODES = st.one_of(
    st.sampled_from(
        [
            *map(str, GRAPH.writers),
            *("logits", "*", "a*", "a?.h1", "m[01]", "m[!0]", "m9", "a0.h1", "mlp1", "l0h1"),
            *("L*", "L?H1", "MLP[01]", "MLP[!0]", "MLP 2", "[!L]*", "[!a]*", "l*h*", "L0KV1"),
        ]
    ),
    st.sampled_from(["{L0H1,MLP2}", "L{0,1}H{1,2}", "{a0.h1,m2}", "a{0,1}.h{1,2}"]),
    st.sampled_from(["m{0,{1}}", "{{{{", "{,}", "{", "}", "{}{}"]),
    SOUP,
)
ENDS = st.sampled_from(["", "", "<q>", "<k>", "<v>", "<*>", "<x>", "<", "<q"])
PATTERNS = st.one_of(
    st.tuples(NODES, st.sampled_from(["->", "->", " -> ", "-", ""]), NODES, ENDS).map("".join),
    SOUP,
)


def slowly_expanded(name: str) -> list[str]:
    """The names that braces stand for, brace by brace."""
    if found := re.search(r"\{([^{}]*)\}", name):
        before, behind = name[: found.start()], name[found.end() :]
        parts = found[1].split(",")
        each = (slowly_expanded(behind), parts)
        return [before + part + rest for part, rest in itertools.product(each[1], each[0])]
    return [name]


def in_file(node: Node) -> str:
    """A node as files of circuits have it."""
    return {"a": f"a{node.layer}.h{node.head}", "m": f"m{node.layer}"}.get(node.kind, node.kind)


def slowly_fitting(pattern: str, nodes: list[Node]) -> list[Node]:
    """The nodes that fit in the first of the ways to read a pattern in which any does."""
    names: list[Callable[[Node], str]] = [in_file, Node.__str__]
    for name in names if pattern == pattern.lower() else names[::-1]:
        if found := [node for node in nodes if fnmatch.fnmatchcase(name(node), pattern)]:
            return found
    low = pattern.lower()
    return [
        node
        for node in nodes
        if any(fnmatch.fnmatchcase(name(node).lower(), low) for name in names)
    ]


def slowly_matching(pattern: str) -> list[Edge]:
    """The edges that a pattern names, each edge held against each name."""
    source, _, target = "".join(pattern.split()).partition("->")
    found = []
    writers = [n for name in slowly_expanded(source) for n in slowly_fitting(name, GRAPH.writers)]
    for reader in slowly_expanded(target):
        name, _, letter = reader.partition("<")
        readers = slowly_fitting(name, GRAPH.readers)
        found += [
            edge
            for edge in GRAPH.edges()
            if edge.source in writers
            and edge.target in readers
            and letter[:-1] in ("", "*", edge.letter)
        ]
    return found


@fuzzed(100, patterns=st.lists(PATTERNS, min_size=1, max_size=3))
def test_any_patterns_are_edges_or_refused(patterns: list[str]) -> None:
    found = accepted(lambda: GRAPH.matching(patterns, "--edge"), UsageError)
    if found is None:
        return
    assert found == [edge for edge in GRAPH.edges() if edge in found]
    assert set(found) == {edge for pattern in patterns for edge in slowly_matching(pattern)}


@fuzzed(5, pattern=PATTERNS, option=st.sampled_from(["--edge", "--path", "--site"]))
def test_a_patch_of_any_pattern_is_done_or_refused(
    commands: Commands, pattern: str, option: str
) -> None:
    sizes = ("--n-pairs", "2", "--resamples", "100", "--format", "html", "--device", "cpu")
    where = ("-o", "patched", "--overwrite", "--quiet")
    commands.answered("patch", "modadd", f"{option}={pattern}", *sizes, *where, codes=(0, 2))


HARD = {
    "stars": "a*" * 2000 + "b->m0",
    "stars of a name": "*" * 20_000 + "->m0",
    "braces in braces": "{" * 20_000 + "}" * 20_000 + "->m0",
    "braces without end": "{" * 40_000 + "->m0",
    "choices": "{a,b}" * 5_000 + "->m0",
    "choices on both sides": "{*,*}" * 13 + "->" + "{*,*}" * 13,
    "long choices": "{" + "a" * 20_000 + ",b}" * 13 + "->m0",
    "many choices": "{" + ",".join(["a*"] * 9_000) + "}->{" + ",".join(["*"] * 9_000) + "}",
    "classes": "[" * 20_000 + "->m0",
}


@pytest.mark.parametrize("pattern", HARD.values(), ids=HARD)
def test_a_pattern_takes_no_more_time_than_it_has_letters(pattern: str) -> None:
    assert accepted(lambda: GRAPH.matching([pattern], "--edge"), UsageError) != []


def test_braces_stand_for_a_bounded_number_of_names() -> None:
    with pytest.raises(UsageError, match="expected braces"):
        GRAPH.matching(["{" + "," * MOST_PATTERNS + "}->m0"], "--edge")
