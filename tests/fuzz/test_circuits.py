"""Whatever a file holds, it is a circuit or refused in words."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st

from mitool.analysis.circuits.files import as_json, read_circuit
from mitool.core.errors import InputError
from mitool.settings import Level
from tests.analysis.circuits.graphs import (
    COLUMNS,
    D_MODEL,
    PARALLEL,
    SMALL,
    WITHOUT_MLP,
    assert_same,
    pt_of,
    save,
    stored,
)
from tests.fuzz.commands import Commands, accepted, bounded
from tests.fuzz.documents import DEEP, LONG_NUMBER, VALUES, changed, damaged, dumped
from tests.fuzz.profiles import fuzzed

LEVELS: tuple[Level, ...] = ("edge", "node", "neuron")
NAMES = st.sampled_from(["input", "m0", "a0.h0", "logits", "a0.h0->m0", "m0->logits", "m9", "p0"])
KEYS = st.sampled_from(
    ["in_graph", "score", "neurons", "neurons_scores", "positions", "p0", "p1", "n_layers", "more"]
)
PARTS = st.dictionaries(NAMES, st.one_of(VALUES, st.dictionaries(KEYS, VALUES)), max_size=3)
WRITTEN = {
    (level, told): as_json(stored(level, columns=columns), D_MODEL, columns)
    for level, told, columns in [*((each, False, ()) for each in LEVELS), ("edge", True, COLUMNS)]
}
CFG = WRITTEN["edge", False]["cfg"]
DOCUMENTS = st.fixed_dictionaries(
    {"cfg": st.one_of(st.just(CFG), st.just(CFG), VALUES), "nodes": PARTS, "edges": PARTS}
)
LINES = st.lists(
    st.one_of(st.text(max_size=9), st.text("amh0123.*[]{},-><qkv#! ", max_size=20)), max_size=4
)
CONTENTS = st.one_of(
    st.binary(max_size=99),
    st.binary(max_size=99).map(lambda content: b"\x80\x02" + content),
    st.one_of(VALUES, DOCUMENTS).map(dumped),
    st.sampled_from([*WRITTEN.values()]).flatmap(changed).map(dumped),
    st.sampled_from([*WRITTEN.values()]).map(dumped).flatmap(damaged),
    LINES.map(lambda lines: "\n".join(lines).encode(errors="replace")),
    LINES.map(lambda lines: "->".join(lines).encode(errors="replace")),
    st.sampled_from([DEEP, LONG_NUMBER, b"{a,b}" * 99 + b"->m0", b"{*,*}" * 13 + b"->m0"]),
)


@fuzzed(60, content=CONTENTS, name=st.sampled_from(["any.json", "any"]))
def test_any_bytes_are_a_circuit_or_refused(commands: Commands, content: bytes, name: str) -> None:
    path = commands.folder / name
    path.write_bytes(content)
    for columns in ((), COLUMNS[:2]):
        found = accepted(partial(read_circuit, path, SMALL, D_MODEL, columns), InputError)
        assert found is None or found.circuit.n_edges <= len(SMALL.edges)


PT_KEYS = st.sampled_from([*pt_of(stored("neuron")), "nodes_scores"])
TENSORS = st.builds(
    lambda sizes, dtype: torch.ones(sizes, dtype=dtype),
    st.lists(st.integers(0, 9), max_size=3),
    st.sampled_from([torch.bool, torch.float32, torch.float64, torch.int64, torch.complex64]),
)


@fuzzed(
    20,
    changes=st.dictionaries(PT_KEYS, st.one_of(VALUES, TENSORS), max_size=3),
    data=st.data(),
)
def test_any_values_that_torch_saved_are_a_circuit_or_refused(
    commands: Commands, changes: dict[str, Any], data: st.DataObject
) -> None:
    content = pt_of(stored("neuron")) | changes
    for name in data.draw(st.lists(PT_KEYS, max_size=1)):
        content.pop(name, None)
    path = save(commands.folder / "any.pt", content)
    accepted(partial(read_circuit, path, SMALL, D_MODEL), InputError)


@fuzzed(
    4,
    content=CONTENTS,
    option=st.sampled_from(["--circuit", "--scores", "--truth"]),
    name=st.sampled_from(["c.json", "c.pt", "c.txt"]),
)
def test_a_study_of_any_circuit_is_done_or_refused(
    commands: Commands, content: bytes, option: str, name: str
) -> None:
    (commands.folder / name).write_bytes(content)
    sizes = ("--n-pairs", "4", "--resamples", "100", "--random-circuits", "1", "--minimality", "0")
    where = ("-o", "found", "--overwrite", "--format", "html", "--device", "cpu", "--quiet")
    commands.answered(
        "analyze", "circuit", "planted", option, name, *sizes, *where, codes=(0, 2, 3)
    )


@pytest.mark.parametrize("table", [SMALL, PARALLEL, WITHOUT_MLP])
@pytest.mark.parametrize("level", LEVELS)
def test_what_is_written_is_read_as_it_was(tmp_path: Path, level: Level, table: Any) -> None:
    circuit = stored(level, table)
    (tmp_path / "c.json").write_text(json.dumps(as_json(circuit, D_MODEL)))
    assert_same(read_circuit(tmp_path / "c.json", table, D_MODEL), circuit)
    save(tmp_path / "c.pt", pt_of(circuit))
    assert_same(read_circuit(tmp_path / "c.pt", table, D_MODEL), circuit)


def test_many_lines_of_wildcards_are_read_in_bounds(tmp_path: Path) -> None:
    line = "{a*,a*,m*,input}" * 6 + "->{a*,m*,logits}"
    (tmp_path / "c.txt").write_text("\n".join([line] * 100 + ["*->*"]))
    with bounded(20), pytest.raises(InputError):
        read_circuit(tmp_path / "c.txt", SMALL, D_MODEL)
