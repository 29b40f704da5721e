"""Circuits as text: a pattern of edges a line."""

import re

from mitool.analysis.circuits.circuit import circuit_of
from mitool.analysis.circuits.files.stored import StoredCircuit
from mitool.analysis.interventions.graph import in_words
from mitool.analysis.interventions.table import EdgeTable
from mitool.core.errors import InputError, quoted

COMMENT = "#"
LINE_ENDS = re.compile("\r\n|\r|\n")


def read(text: str, table: EdgeTable, remedy: str) -> StoredCircuit:
    """The circuit of all edges that the lines name, as ``Graph.matching`` reads them; what stands
    behind ``#`` is not read.

    Args:
        remedy: what to give instead of a text without edges.

    Raises:
        InputError: lines are no edges, or none of this model's, or there is none.
    """
    lines = {
        number: pattern
        for number, line in enumerate(LINE_ENDS.split(text), start=1)
        if (pattern := line.partition(COMMENT)[0].strip())
    }
    if not any("->" in pattern for pattern in lines.values()):
        first = next(iter(lines.values()), "")
        found = f"a text such as {quoted(first)}" if first else "comments alone"
        raise InputError(f"expected a circuit, found {found}; {remedy}")
    edges, faults = table.graph.named(list(lines.values()))
    if faults:
        names = [f"line {number} {quoted(pattern)}" for number, pattern in lines.items()]
        raise InputError(in_words(faults, names))
    return StoredCircuit(circuit_of(table, table.mask(edges)[..., None]), {})
