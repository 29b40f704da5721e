"""Nodes and edges, and the patterns that name them."""

import pytest

from mitool.analysis.interventions.graph import Edge, Graph, Node
from mitool.core.errors import UsageError

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
    assert names(SMALL, "L0H1->MLP1") == ["L0H1->MLP1"]
    assert names(SMALL, "input->L0H0") == [f"input->L0H0<{letter}>" for letter in "qkv"]
    assert names(SMALL, "input -> L0H0<k>") == ["input->L0H0<k>"]
    assert names(SMALL, "L*H*->logits") == [
        f"L{layer}H{head}->logits" for layer in (0, 1) for head in (0, 1)
    ]
    assert names(SMALL, "{L0H1,MLP0}->MLP*") == ["L0H1->MLP0", "L0H1->MLP1", "MLP0->MLP1"]
    assert names(SMALL, "MLP0->L1H{0,1}<v>") == ["MLP0->L1H0<v>", "MLP0->L1H1<v>"]
    assert len(names(SMALL, "*->*")) == len(list(SMALL.edges()))


@pytest.mark.parametrize(
    "patterns",
    [
        ("L0H1->MLP1", "a0.h1->m1", "l0h1->mlp1", "L0H1 -> MLP 1", "A0.H1->M1", "L0H1->m1"),
        ("L*H*->logits", "a*.h*->logits", "l*h*->logits", "L*->logits", "a*->logits"),
        ("{L0H1,MLP0}->MLP*", "{a0.h1,m0}->m*", "{L0H1, m0}->mlp*", "{a0.h1,MLP 0}->MLP?"),
        ("MLP0->L1H{0,1}<v>", "m0->a1.h{0,1}<v>", "m0->L1H?<v>", "m0->a1.h[01]<v>"),
        ("[!L]*->logits", "[!a]*->logits", "{input,m0,m1}->logits"),
        ("input->L1*<q>", "input->a1*<q>", "input->l1*<q>"),
    ],
)
def test_both_spellings_name_the_same_edges(patterns: tuple[str, ...]) -> None:
    found = [names(SMALL, pattern) for pattern in patterns]
    assert found[0]
    assert all(own == found[0] for own in found)


def test_a_capital_l_is_a_head_and_never_the_logits() -> None:
    assert names(SMALL, "input->L*") == names(SMALL, "input->a*")
    assert names(SMALL, "input->l*") == ["input->logits"]


def test_each_edge_once_in_the_order_of_the_graph() -> None:
    assert names(SMALL, "MLP1->logits", "L0H0->logits", "MLP*->logits") == [
        "L0H0->logits",
        "MLP0->logits",
        "MLP1->logits",
    ]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("L0H0", "expected WRITER->READER"),
        ("->MLP1", "expected WRITER->READER"),
        ("L0H0->", "expected WRITER->READER"),
        ("L5H0->MLP1", "its nodes are input, L0H0 to L1H1, MLP0 to MLP1 and logits"),
        ("L5H0->MLP1", r"no such edge \(for 'L5H0' did you mean 'L1H0'\?\)"),
        ("a1.h5->m1", r"no such edge \(for 'a1.h5' did you mean 'L1H1'\?\)"),
        ("input->mpl0", r"no such edge \(for 'mpl0' did you mean 'MLP0'\?\)"),
        ("MLP1->L0H0", "a writer comes before its reader"),
        ("logits->MLP0", "no such edge"),
        ("MLP0->input", "no such edge"),
        ("MLP0->L1H0<x>", "expected <q>, <k> or <v>"),
        ("MLP0->L1H0<q", "expected <q>, <k> or <v>"),
        ("MLP0->MLP1<q>", "no such edge"),
        ("{L0H0->MLP1", "expected braces"),
        ("{a,b}" * 20 + "->MLP1", "expected braces"),
        ("m[->MLP1", "no such edge"),
    ],
)
def test_what_is_no_edge_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SMALL.matching([pattern], "--edge")


def test_an_edge_says_its_name() -> None:
    assert str(Edge(Node("input"), Node("a", 5, 5), "q")) == "input->L5H5<q>"


def test_all_patterns_that_name_nothing_are_named_in_one_message() -> None:
    missing = [f"MLP1->MLP{layer}" for layer in range(2, 15)]
    with pytest.raises(UsageError) as refusal:
        SMALL.matching(["MLP0->MLP1", "MLP0", *missing, "MLP0->"], "--edge")
    wrong = ", ".join(f"'MLP1->MLP{layer}'" for layer in range(2, 12))
    message = str(refusal.value)
    assert message.startswith("--edge 'MLP0', 'MLP0->': expected WRITER->READER such as")
    assert f"; {wrong} and 3 more: this model has no such edge (for 'MLP2' did you " in message
