"""What a file holds of a circuit, whatever its format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Bool
from torch import Tensor

from mitool.analysis.circuits.circuit import Circuit
from mitool.analysis.interventions.table import EdgeTable
from mitool.core.errors import InputError, first_few
from mitool.core.node_names import published, spelled
from mitool.core.strict_json import KINDS
from mitool.settings import Level

REMEDY = "give a circuit of this model, or the model of this circuit"
MOST_SHOWN = 80
"""Letters of a file's own text in a message."""


@dataclass(frozen=True)
class StoredCircuit:
    """A circuit with the scores that its units were given.

    Attributes:
        scores: tables of the levels that have scores other than 0, in float64 where they were
            read: [reader, writer, column] of edges, [writer] of nodes, [writer, d_model] of
            neurons; 0 where there is none.
    """

    circuit: Circuit
    scores: Mapping[Level, Tensor]


def assembled(
    table: EdgeTable,
    edges: Bool[Tensor, "reader writer column"],
    nodes: Bool[Tensor, " writer"],
    neurons: Bool[Tensor, "writer d_model"] | None,
    scores: Mapping[Level, Tensor],
) -> StoredCircuit:
    """A circuit as a file says it, less what is no edge, what nodes would write that are not in,
    and scores that are all 0: the EAP-IG code writes these where an edge has none.

    It counts what is in at places that are no edges, and out of nodes that are not, as in until it
    prunes.
    """
    edges = edges & table.exists[..., None] & nodes[:, None]
    neurons = None if neurons is None else neurons & nodes[:, None]
    given = {level: values for level, values in scores.items() if values.any()}
    return StoredCircuit(Circuit(table, edges, nodes, neurons), given)


def cfg_of(table: EdgeTable, d_model: int) -> dict[str, int | bool]:
    """What the EAP-IG code says of the model that a circuit is of."""
    graph = table.graph
    return {
        "n_layers": graph.n_layers,
        "n_heads": graph.n_heads,
        "parallel_attn_mlp": graph.is_parallel,
        "d_model": d_model,
    }


def require_model(cfg: Any, table: EdgeTable, d_model: int) -> None:
    """Check that a circuit is one of this model; its older files do not say ``d_model``.

    Raises:
        InputError: it is of another.
    """
    if not isinstance(cfg, dict):
        raise InputError(f"expected the model's configuration as 'cfg', found {named(cfg)}")
    own = cfg_of(table, d_model)
    left_out = [name for name in own if name not in cfg and name != "d_model"]
    if left_out:
        raise InputError(f"expected {', '.join(left_out)} in 'cfg', found no such key")
    differ = [name for name in own if name in cfg and not _is_same(cfg[name], own[name])]
    if differ:
        theirs, ours = (
            ", ".join(f"{name} {named(of[name])}" for name in differ) for of in (cfg, own)
        )
        raise InputError(f"expected a circuit of this model, with {ours}, found {theirs}; {REMEDY}")


def placed(kind: str, given: Sequence[str], known: Sequence[str]) -> dict[str, int]:
    """Where the nodes, or edges, that a file names in either spelling stand in a model.

    Args:
        given: the names of the file.
        known: those of the model, as mitool spells them.

    Raises:
        InputError: the model does not have all of them (it says which, and how many), or one comes
            twice.
    """
    places = {name: place for place, name in enumerate(known)}
    unknown = [name for name in given if spelled(name) not in places]
    if unknown:
        example = f"{published(known[0])} to {published(known[-1])}"
        raise InputError(
            f"expected {kind} of this model, {example}, found {len(unknown)} that it does not "
            f"have: {first_few([named(name) for name in unknown])}; {REMEDY}"
        )
    once: dict[int, str] = {}
    for name in given:
        place = places[spelled(name)]
        if place in once:
            first, again = named(once[place]), named(name)
            both = f"{first} twice" if first == again else f"{first} and {again}"
            raise InputError(f"expected each of {kind} once, found {both}")
        once[place] = name
    return {name: place for place, name in once.items()}


def named(value: object) -> str:
    """A value out of a file for a message."""
    if isinstance(value, int) and value.bit_length() > MOST_SHOWN:
        return "a number of many digits"
    if isinstance(value, bool | int | float | str):
        return ascii(value[:MOST_SHOWN] if isinstance(value, str) else value)
    return KINDS.get(type(value), f"a {type(value).__name__}")


def _is_same(given: object, own: int | bool) -> bool:
    return isinstance(given, int) and given == own
