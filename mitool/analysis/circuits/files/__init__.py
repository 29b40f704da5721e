"""Circuits from files, of the EAP-IG code or written by hand, and to files that it reads."""

import re
from pathlib import Path

from mitool.analysis.circuits.files import eap_ig_json, eap_ig_pt, text
from mitool.analysis.circuits.files.eap_ig_json import as_json
from mitool.analysis.circuits.files.stored import StoredCircuit
from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.table import EdgeTable
from mitool.core.errors import InputError, about
from mitool.storage import state_dict

__all__ = ["StoredCircuit", "as_json", "read_circuit"]

EXPECTED = "a circuit"
REMEDY = (
    "give a circuit as the EAP-IG code or mitool writes it, in JSON or as .pt, or a text file with "
    "an edge such as a0.h1->m1 a line"
)

JSON_START = re.compile(r'\s*\{\s*["}]')
"""How an object starts in JSON, and no edge: ``{a0.h1,m0}->m1`` has no quotes."""


def read_circuit(
    path: Path, table: EdgeTable, d_model: int, columns: tuple[Column, ...] = ()
) -> StoredCircuit:
    """Read a circuit of a model.

    What the file holds decides how it is read: the JSON or the ``.pt`` of the EAP-IG code (Hanna
    et al. 2024, arXiv 2403.17806; https://github.com/hannamw/EAP-IG), mitool's JSON, which is the
    same with the positions of edges told apart, or text with a pattern of edges a line.

    It is read as it is, dead ends and all: see ``Circuit.pruned``. Nodes and edges that the file
    leaves out are not in; nor is an edge out of a node that is not.

    Args:
        d_model: how many neurons a node has.
        columns: of the pairs, where edges are told apart by them. Of a file that does not tell them
            apart the tables of edges have one column all the same.

    Raises:
        InputError: the file is missing, damaged or refused, holds something else, or the circuit
            of another model.
    """
    state_dict.require_file(path, f"a file with {EXPECTED}", REMEDY)
    with path.open("rb") as file:
        start = file.read(2)
    if start.startswith(state_dict.TORCH_STARTS):
        held = state_dict.load_pickle(path, EXPECTED, REMEDY)
        with about(path):
            return eap_ig_pt.read(held, path.stat().st_size, table, d_model)
    with about(path):
        written = _decoded(path.read_bytes())
        if path.suffix.lower() == ".json" or JSON_START.match(written):
            return eap_ig_json.read(written, table, d_model, columns)
        return text.read(written, table, REMEDY)


def _decoded(content: bytes) -> str:
    if not content.strip():
        raise InputError(f"expected {EXPECTED}, found an empty file; {REMEDY}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            f"expected {EXPECTED}, found bytes that are neither text nor a file of torch; {REMEDY}"
        ) from None
