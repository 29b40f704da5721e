"""Whatever a file holds, it is a circuit or refused in words."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitool.analysis.circuits.files import as_json, read_circuit
from mitool.errors import InputError
from tests.analysis.circuits.graphs import COLUMNS, D_MODEL, SMALL, pt_of, save, stored

NAMES = st.sampled_from(["input", "m0", "a0.h0", "logits", "a0.h0->m0", "m0->logits", "m9", "p0"])
KEYS = st.sampled_from(
    ["in_graph", "score", "neurons", "neurons_scores", "positions", "p0", "p1", "n_layers", "more"]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(NAMES, KEYS), inner, max_size=4)
    ),
    max_leaves=8,
)
PARTS = st.dictionaries(NAMES, st.one_of(VALUES, st.dictionaries(KEYS, VALUES)), max_size=3)
CFG = as_json(stored("edge"), D_MODEL)["cfg"]
DOCUMENTS = st.fixed_dictionaries(
    {"cfg": st.one_of(st.just(CFG), st.just(CFG), VALUES), "nodes": PARTS, "edges": PARTS}
)
LINES = st.lists(
    st.one_of(st.text(max_size=9), st.text("amh0123.*[]{},-><qkv#! ", max_size=20)), max_size=4
)


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=99),
        st.binary(max_size=99).map(lambda content: b"\x80\x02" + content),
        st.one_of(VALUES, DOCUMENTS).map(lambda content: json.dumps(content).encode()),
        LINES.map(lambda lines: "\n".join(lines).encode(errors="replace")),
        LINES.map(lambda lines: "->".join(lines).encode(errors="replace")),
    )
)
def test_any_bytes_are_a_circuit_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    for name in ("any.json", "any"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(content)
        for columns in ((), COLUMNS[:2]):
            with contextlib.suppress(InputError):
                found = read_circuit(path, SMALL, D_MODEL, columns)
                assert found.circuit.n_edges <= len(SMALL.edges)


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(st.sampled_from([*pt_of(stored("neuron")), "nodes_scores"]), VALUES, max_size=3)
)
def test_any_values_that_torch_saved_are_a_circuit_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    content = pt_of(stored("neuron")) | changes
    with contextlib.suppress(InputError):
        read_circuit(save(tmp_path_factory.getbasetemp() / "any.pt", content), SMALL, D_MODEL)
