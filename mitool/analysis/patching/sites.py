"""What a sweep patches: families of sites, and each site of a family."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.replace import Activation
from mitool.core.config import nearest
from mitool.core.errors import UsageError, quoted
from mitool.core.node_names import head_name
from mitool.core.wildcards import fitting
from mitool.models.decoder import Decoder

RESIDUAL: tuple[Activation, ...] = ("resid_pre", "resid_mid", "resid_post")
OUTPUTS: tuple[Activation, ...] = ("attn_out", "mlp_out")
HEADS: tuple[Activation, ...] = ("z", "q", "k", "v", "pattern")
ACTIVATIONS = (*RESIDUAL, *OUTPUTS, *HEADS)

OF_MLP: tuple[Activation, ...] = ("resid_mid", "mlp_out")
"""What only a block with an MLP behind its attention has of its own."""

BY_POSITION = "_by_pos"


@dataclass(frozen=True)
class Family:
    """Sites of one kind: [layer, position], [layer, head] or [layer, head, position].

    Attributes:
        activation: TransformerLens's name of what is replaced.
        n_heads: of a layer; 0 where the activation has none.
        columns: the positions; none where all are replaced at once.
        mark: what a head's number stands behind: ``H``, or ``KV`` where several heads share a key
            and a value and those are counted.
    """

    activation: Activation
    n_layers: int
    n_heads: int
    columns: tuple[Column, ...]
    mark: Literal["H", "KV"] = "H"

    @property
    def name(self) -> str:
        is_by_position = self.n_heads and self.columns
        return self.activation + (BY_POSITION if is_by_position else "")

    @property
    def shape(self) -> tuple[int, ...]:
        sizes = (self.n_layers, self.n_heads, len(self.columns))
        return tuple(size for size in sizes if size)

    @property
    def is_residual(self) -> bool:
        return self.activation in RESIDUAL

    def sites(self) -> "Iterator[Site]":
        """Row by row."""
        heads = range(self.n_heads) if self.n_heads else (None,)
        columns = range(len(self.columns)) if self.columns else (None,)
        for layer, head, column in itertools.product(range(self.n_layers), heads, columns):
            yield Site(self, layer, head, column)


@dataclass(frozen=True)
class Site:
    """One of a family."""

    family: Family
    layer: int
    head: int | None
    column: int | None

    @property
    def name(self) -> str:
        """Such as ``resid_post.L2.p3``, ``z.L4H2`` or ``v.L4KV1``."""
        mark, head = self.family.mark, self.head
        where = f"L{self.layer}" if head is None else head_name(self.layer, head, mark)
        column = "" if self.column is None else f".{self.family.columns[self.column].name}"
        return f"{self.family.activation}.{where}{column}"


def families_of(
    decoder: Decoder,
    columns: tuple[Column, ...],
    wanted: Sequence[str] = (),
    *,
    by_position: bool = False,
) -> list[Family]:
    """The families of a model, or those that are wanted.

    Args:
        wanted: names, with wildcards.
        by_position: the heads' activations at each position too, and not only at all at once.

    Raises:
        UsageError: the model has none of such a name.
    """
    families = list(_all_families(decoder, columns))
    names = [family.name for family in families]
    for name in wanted:
        if not fitting(name, names):
            hint = nearest(name, names)
            raise UsageError(f"--site: this model has no {quoted(name)}: {hint}")
    if not wanted:
        return [f for f in families if by_position or not f.name.endswith(BY_POSITION)]

    def is_wanted(family: Family) -> bool:
        own = (family.name, family.activation) if by_position else (family.name,)
        return any(fitting(name, own) for name in wanted)

    return [family for family in families if is_wanted(family)]


def _all_families(decoder: Decoder, columns: tuple[Column, ...]) -> Iterator[Family]:
    """The families that a model has, those of heads at all positions at once and at each."""
    for activation in ACTIVATIONS:
        if activation in OF_MLP and not decoder.has_mlp:
            continue
        if activation == "resid_mid" and decoder.is_parallel:
            continue
        if activation not in HEADS:
            yield Family(activation, decoder.n_layers, 0, columns)
            continue
        shares = decoder.group > 1 and activation in ("k", "v")
        n_heads = decoder.n_kv_heads if shares else decoder.n_heads
        mark: Literal["H", "KV"] = "KV" if shares else "H"
        for places in ((), columns):
            yield Family(activation, decoder.n_layers, n_heads, places, mark)
