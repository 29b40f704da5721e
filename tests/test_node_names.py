"""What heads and MLPs are called, in both spellings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitool.core.node_names import head_name, mlp_name, published, spelled

LAYERS = st.integers(0, 99)
NODES = st.one_of(
    st.tuples(LAYERS, LAYERS).map(lambda at: (f"a{at[0]}.h{at[1]}", head_name(*at))),
    LAYERS.map(lambda layer: (f"m{layer}", mlp_name(layer))),
    st.sampled_from([("input", "input"), ("logits", "logits")]),
)
LETTERS = st.sampled_from(["", "<q>", "<k>", "<v>", "@p0", "[3]"])


@given(source=NODES, target=NODES, letter=LETTERS)
def test_every_edge_is_told_in_both_spellings(
    source: tuple[str, str], target: tuple[str, str], letter: str
) -> None:
    theirs, ours = (f"{source[way]}->{target[way]}{letter}" for way in (0, 1))
    assert spelled(theirs) == spelled(ours) == spelled(ours.lower()) == ours
    assert published(theirs) == published(ours) == theirs


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("effects.a*.h3->m[01]", "effects.L*H3->MLP[01]"),
        ("effects.z.l4h2", "effects.z.L4H2"),
        ("effects.v.l4kv1", "effects.v.L4KV1"),
        ("mean_loss", "mean_loss"),
        ("alpha0.h", "alpha0.h"),
        ("gemma2", "gemma2"),
        ("am1", "am1"),
        ("m1_loss", "m1_loss"),
        ("[" * 300 + "m1", "[" * 300 + "m1"),
    ],
)
def test_what_is_a_node_and_what_is_not(text: str, ours: str) -> None:
    assert spelled(text) == ours
