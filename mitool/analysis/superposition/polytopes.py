"""Clusters of feature dimensionality, and the polytopes that they are vertices of.

Features that interfere form a polytope in a subspace of their own (Elhage et al. 2022, "The
Geometry of Superposition"). All vertices of a uniform polytope have the same dimensionality: the
subspace's dimensions over the number of vertices.
"""

from collections import Counter
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.superposition.measures import dimensionality, norms, represented

TOUCHING = 0.2
"""The cosine of two directions, of either sign, above which their features interfere."""

SPANNED = 0.2
"""The share of the largest singular value above which a dimension is spanned."""


@dataclass(frozen=True)
class Polytope:
    """Directions of features that interfere with one another and with no others."""

    name: str
    n_vertices: int
    n_dimensions: int

    @property
    def dimensionality(self) -> float:
        """That of each of its features."""
        return self.n_dimensions / self.n_vertices


POLYTOPES = (
    Polytope("tetrahedron", 4, 3),
    Polytope("triangle", 3, 2),
    Polytope("digon", 2, 1),
    Polytope("pentagon", 5, 2),
    Polytope("square_antiprism", 8, 3),
)
"""Those that the paper names, from the largest dimensionality to the least."""

ALONE = Polytope("own_dimension", 1, 1)
OTHER = "other"


def clusters(W: Float[Tensor, "instance hidden feature"]) -> dict[str, list[int]]:
    """How many represented features of each model are nearest to a polytope's dimensionality.

    A feature belongs to a polytope if its dimensionality is less than half as far from it as the
    next polytope's is, up to 0.05.
    """
    values = [p.dimensionality for p in (ALONE, *POLYTOPES)]
    found, is_represented = dimensionality(W), represented(W)
    counts: dict[str, list[int]] = {}
    for polytope in (ALONE, *POLYTOPES):
        value = polytope.dimensionality
        nearest = min(abs(value - other) for other in values if other != value)
        near = (found - value).abs() < min(nearest / 2, 0.05)
        counts[polytope.name] = (near & is_represented).sum(dim=1).tolist()
    return counts


def polytopes(W: Float[Tensor, "hidden feature"]) -> Counter[str]:
    """The polytopes that one model's represented features form, by name; others are ``other``."""
    chosen = represented(W[None])[0]
    directions = W[:, chosen] / norms(W[None])[0, chosen]
    names = {(p.n_vertices, p.n_dimensions): p.name for p in (ALONE, *POLYTOPES)}
    found: Counter[str] = Counter()
    for component in components((directions.mT @ directions).abs() > TOUCHING):
        vertices = directions[:, component]
        spectrum = torch.linalg.svdvals(vertices)
        rank = int((spectrum > SPANNED * spectrum[0]).sum())
        found[names.get((len(component), rank), OTHER)] += 1
    return found


def components(touching: Bool[Tensor, "node node"]) -> list[list[int]]:
    """The connected components of an undirected graph, each as its nodes."""
    left, found = set(range(len(touching))), []
    while left:
        component, open_nodes = [], [min(left)]
        left.discard(open_nodes[0])
        while open_nodes:
            node = open_nodes.pop()
            component.append(node)
            beside = left.intersection(touching[node].nonzero().flatten().tolist())
            left -= beside
            open_nodes += beside
        found.append(sorted(component))
    return found
