"""What is patched, and how: from what is wanted of a model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.graph import Edge, Graph
from mitool.analysis.patching.paths import Path, paths_of
from mitool.analysis.patching.sites import Family, families_of
from mitool.core.errors import UsageError
from mitool.models.decoder import Decoder
from mitool.settings import Ablation, Between, Direction, PatchSettings


@dataclass(frozen=True)
class Wanted:
    """What is asked for, by names with wildcards.

    Attributes:
        sites: families to sweep; none stands for all where there are no paths or edges either.
        paths: such as ``L0H1->L1H2<q>``, each to be patched alone.
        edges: likewise, each to be patched alone, and then all at once.
    """

    sites: Sequence[str] = ()
    paths: Sequence[str] = ()
    edges: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, names in vars(self).items():
            if isinstance(names, str):
                raise UsageError(f"{name}: expected a list of names, found the text {names!r}")


@dataclass(frozen=True)
class Plan:
    """What is patched, and how.

    Attributes:
        direction: ``denoise`` puts clean activations into the corrupted run, ``noise`` the other
            way round.
        ablation: what is put in; all but ``patch`` go into the clean run.
        families: swept site by site.
        paths: patched each alone.
        edges: patched each alone, and then all at once.
    """

    direction: Direction
    ablation: Ablation
    families: Sequence[Family] = ()
    paths: Sequence[Path] = ()
    between: Between = "frozen"
    edges: Sequence[Edge] = ()

    @property
    def n_variants(self) -> int:
        """How many runs each pair takes."""
        sites = sum(math.prod(family.shape) for family in self.families)
        return sites + len(self.paths) + len(self.edges) + bool(self.edges)


def make_plan(
    decoder: Decoder, columns: tuple[Column, ...], settings: PatchSettings, wanted: Wanted
) -> Plan:
    """What is wanted, of this model.

    Raises:
        UsageError: a site, path or edge is none of the model's, or settings contradict each other.
    """
    if settings.between != "frozen" and not wanted.paths:
        raise UsageError("--between says what becomes of what lies on a --path: give one")
    if settings.by_position and (wanted.paths or wanted.edges) and not wanted.sites:
        raise UsageError("--by-position is about the heads of a sweep: give a --site too")
    graph, families = Graph.of(decoder), list[Family]()
    if wanted.sites or not (wanted.paths or wanted.edges):
        found = families_of(decoder, columns, wanted.sites, by_position=settings.by_position)
        families = _defined(found, settings.ablation, asked_for=bool(wanted.sites))
    return Plan(
        _direction(settings),
        settings.ablation,
        families,
        paths_of(graph.matching(wanted.paths, "--path")),
        settings.between,
        graph.matching(wanted.edges, "--edge"),
    )


def _direction(settings: PatchSettings) -> Direction:
    if settings.ablation == "patch":
        return settings.direction or "denoise"
    if settings.direction == "denoise":
        raise UsageError(
            f"--direction denoise puts clean activations into the corrupted run, and --ablation "
            f"{settings.ablation} puts in none: leave one of them out"
        )
    return "noise"


def _defined(families: list[Family], ablation: Ablation, *, asked_for: bool) -> list[Family]:
    """The families that have what is put in: attention patterns have no mean over positions.

    Raises:
        UsageError: one that was asked for has none.
    """
    if ablation not in ("mean", "mean-positional"):
        return families
    without = [family.name for family in families if family.activation == "pattern"]
    if without and asked_for:
        raise UsageError(
            f"--site {without[0]}: a pattern's places are positions, so that it has no mean that "
            f"--ablation {ablation} could put in; patch it from the other run, or with zero"
        )
    return [family for family in families if family.name not in without]
