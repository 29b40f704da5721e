"""Nodes and edges, and the patterns that name them."""

import pytest

from mitool.analysis.interventions.graph import Edge, Graph, Node
from mitool.errors import UsageError

SMALL = Graph(n_layers=2, n_heads=2, has_mlp=True, is_parallel=False)


def names(graph: Graph, *patterns: str) -> list[str]:
    return [str(edge) for edge in graph.matching(patterns, "--edge")]


def test_the_edges_of_a_small_model_counted_by_hand() -> None:
    edges = list(SMALL.edges())
    # layer 0: 2 heads x 3 letters read the input; its MLP the input and 2 heads
    # layer 1: 2 x 3 read 4 writers; its MLP those and 2 heads; the logits all 7
    assert len(edges) == 6 + 3 + 24 + 6 + 7
    assert len(set(edges)) == len(edges)


def test_the_number_of_edges_of_gpt2_is_the_published_one() -> None:
    # Hanna et al. 2024 and MIB count 32 491 edges in GPT-2 small
    gpt2 = Graph(n_layers=12, n_heads=12, has_mlp=True, is_parallel=False)
    assert len(list(gpt2.edges())) == 32_491


def test_side_by_side_an_mlp_reads_no_head_of_its_block() -> None:
    beside = Graph(n_layers=2, n_heads=2, has_mlp=True, is_parallel=True)
    assert not beside.reads(Node("m", 1), Node("a", 1, 0))
    assert beside.reads(Node("m", 1), Node("a", 0, 1))
    assert SMALL.reads(Node("m", 1), Node("a", 1, 0))
    assert not SMALL.reads(Node("a", 1, 0), Node("m", 1))


def test_patterns() -> None:
    assert names(SMALL, "a0.h1->m1") == ["a0.h1->m1"]
    assert names(SMALL, "input->a0.h0") == [f"input->a0.h0<{letter}>" for letter in "qkv"]
    assert names(SMALL, "input -> a0.h0<k>") == ["input->a0.h0<k>"]
    assert names(SMALL, "a*.h*->logits") == [
        f"a{layer}.h{head}->logits" for layer in (0, 1) for head in (0, 1)
    ]
    assert names(SMALL, "{a0.h1,m0}->m*") == ["a0.h1->m0", "a0.h1->m1", "m0->m1"]
    assert names(SMALL, "m0->a1.h{0,1}<v>") == ["m0->a1.h0<v>", "m0->a1.h1<v>"]
    assert len(names(SMALL, "*->*")) == len(list(SMALL.edges()))


def test_each_edge_once_in_the_order_of_the_graph() -> None:
    assert names(SMALL, "m1->logits", "a0.h0->logits", "m*->logits") == [
        "a0.h0->logits",
        "m0->logits",
        "m1->logits",
    ]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a0.h0", "expected WRITER->READER"),
        ("->m1", "expected WRITER->READER"),
        ("a0.h0->", "expected WRITER->READER"),
        ("a5.h0->m1", r"no such edge: its nodes are input, a0.h0 to a1.h1, m0 to m1 and logits"),
        ("m1->a0.h0", "a writer comes before its reader"),
        ("logits->m0", "no such edge"),
        ("m0->input", "no such edge"),
        ("m0->a1.h0<x>", "expected <q>, <k> or <v>"),
        ("m0->a1.h0<q", "expected <q>, <k> or <v>"),
        ("m0->m1<q>", "no such edge"),
        ("{a0.h0->m1", "expected braces"),
        ("{a,b}" * 20 + "->m1", "expected braces"),
        ("m[->m1", "no such edge"),
    ],
)
def test_what_is_no_edge_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SMALL.matching([pattern], "--edge")


def test_an_edge_says_its_name() -> None:
    assert str(Edge(Node("input"), Node("a", 5, 5), "q")) == "input->a5.h5<q>"


def test_all_patterns_that_name_nothing_are_named_in_one_message() -> None:
    missing = [f"m1->m{layer}" for layer in range(2, 15)]
    with pytest.raises(UsageError) as refusal:
        SMALL.matching(["m0->m1", "m0", *missing, "m0->"], "--edge")
    wrong = ", ".join(f"'m1->m{layer}'" for layer in range(2, 12))
    message = str(refusal.value)
    assert message.startswith("--edge 'm0', 'm0->': expected WRITER->READER such as")
    assert f"; {wrong} and 3 more: this model has no such edge: its nodes are" in message
