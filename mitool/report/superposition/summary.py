"""What an experiment on superposition found, in a line."""

import math
from collections.abc import Callable, Sequence

from mitool.analysis.superposition import SuperpositionResult, measures
from mitool.analysis.superposition.directions import cosines
from mitool.analysis.superposition.experiments.geometry import NEAR, PLATEAUS
from mitool.analysis.superposition.experiments.phase import Diagram
from mitool.analysis.superposition.neurons import active_neurons, features_computed, monosemantic
from mitool.analysis.superposition.polytopes import clusters
from mitool.core.numerals import share
from mitool.report.superposition.shown import Family, by_density, families_of
from mitool.report.tables import readable

PLURALS = {
    "own_dimension": "features alone",
    "tetrahedron": "tetrahedra",
    "triangle": "triangles",
    "digon": "digons",
    "pentagon": "pentagons",
    "square_antiprism": "square antiprisms",
}

MOST = 6
"""Families that a summary speaks of."""

BACK = 0.1
"""Of the way from the first to the last value, what may be gone back on a way that is one."""


def summary_of(result: SuperpositionResult) -> str:
    """The finding, family by family."""
    say = SAY.get(result.experiment.name, _losses)
    families = [*families_of(result.families)]
    said = [f"{f.name}: {say(f)}" if f.name else say(f) for f in families[:MOST]]
    more = f"; and {len(families) - MOST} families more" if len(families) > MOST else ""
    text = f"{'; '.join(said)}{more}."
    return text if families[0].name else text[:1].upper() + text[1:]


def _represented(family: Family) -> str:
    counts = measures.represented(family.models.W).sum(dim=1).tolist()
    n = family.models.cfg.n_features
    represented = course(family, counts)
    return f"{represented} of {n:,} features are represented in {_dimensions(family)}"


def _norms(family: Family) -> str:
    means = [mean or 0.0 for mean in measures.mean_interference(family.models.W)]
    superposed = course(family, [round(mean, 2) for mean in means])
    return f"{_represented(family)}, with a mean superposition of {superposed}"


def _geometry(family: Family) -> str:
    if not family.models.cfg.is_tied:
        return _losses(family)
    stars = measures.dimensions_per_feature(family.models.W)
    near = {
        name: ((stars - value).abs() < NEAR).double().mean().item()
        for name, value in PLATEAUS.items()
    }
    return (
        f"dimensions per feature {course(family, stars.tolist())}; {share(near['1'])} of the "
        f"models are within {NEAR:zg} of 1, and {share(near['half'])} of 1/2"
    )


def _dimensionality(family: Family) -> str:
    W = family.models.W
    counts = {name: sum(values) for name, values in clusters(W).items()}
    n = int(measures.represented(W).sum())
    largest = sorted(counts, key=lambda name: -counts[name])[:3]
    listed = [f"{PLURALS[name]} ({counts[name]:,})" for name in largest if counts[name]]
    most = f", the largest clusters with about the dimensionality of {', '.join(listed)}"
    few = ", none with about the dimensionality of a polytope that the paper names"
    found = f"{n:,} of {measures.norms(W).numel():,} features of all models are represented"
    return f"{found}{most if listed else few}"


def _phase(family: Family) -> str:
    diagram = Diagram.of(family.studied)
    inside = diagram.agreement(diagram.inside)
    away = "" if inside is None else f", and {share(inside, 1)} of those away from its boundaries"
    agreement = diagram.agreement()
    assert agreement is not None, "a diagram has cells"
    return f"{share(agreement, 1)} of the cells are as the closed form says{away}"


def _correlated(family: Family) -> str:
    within, between = cosines(family.models.W, family.models.cfg.set_size)
    inside, across = (_over_models(values) for values in (within, between))
    return f"mean cosine {inside} within sets and {across} between sets"


def _basis(family: Family) -> str:
    models = family.models
    is_mono, is_active = monosemantic(models), active_neurons(models)
    mono = is_mono.sum(dim=1).tolist()
    poly = (is_active & ~is_mono).sum(dim=1).tolist()
    computed = features_computed(models).tolist()
    return (
        f"{course(family, mono)} monosemantic and {course(family, poly)} polysemantic of "
        f"{models.cfg.n_hidden:,} neurons, {course(family, computed)} of "
        f"{models.cfg.n_features:,} features computed"
    )


def _losses(family: Family) -> str:
    n, losses = len(family.models), family.studied.losses
    low, high = (readable(_rounded(end(losses))) for end in (min, max))
    models, loss = ("1 model", low) if n == 1 else (f"{n:,} models", f"{low} to {high}")
    return f"{models} of {family.size}, with a loss of {loss}"


def course(family: Family, values: Sequence[float]) -> str:
    """How a value goes with sparsity: that of the densest and of the sparsest model, and what lies
    between where it is no way from the one to the other. Of models that are not told apart by their
    density it is the range.
    """
    density, order = family.models.density.tolist(), by_density(family.models)
    along = [_rounded(values[index]) for index in order]
    first, last, low, high = map(readable, (along[0], along[-1], min(along), max(along)))
    if low == high:
        return f"{low} (all models)" if len(along) > 1 else low
    if len(set(density)) < len(density):
        return f"{low} to {high}"
    ends = f"{first} (densest) to {last} (sparsest)"
    if first == last:
        ends = f"{first} (densest and sparsest)"
    if {low, high} != {first, last}:
        return f"{ends}, between them {low} to {high},"
    return ends if _goes_one_way(along) else f"{ends}, up and down between them,"


def _goes_one_way(along: Sequence[float]) -> bool:
    """Whether what it goes back on its way is little, beside the whole way."""
    sign = 1 if along[-1] > along[0] else -1
    furthest, back = -math.inf, 0.0
    for value in along:
        furthest = max(furthest, sign * value)
        back = max(back, furthest - sign * value)
    return back <= BACK * abs(along[-1] - along[0])


def _over_models(values: Sequence[float | None]) -> str:
    """The mean over models, and the range where they differ."""
    known = [value for value in values if value is not None]
    if not known:
        return "undefined"
    mean, low, high = (f"{v:z.2f}" for v in (sum(known) / len(known), min(known), max(known)))
    return mean if low == high else f"{mean} ({low} to {high})"


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:z.3g}")


def _dimensions(family: Family) -> str:
    m = family.models.cfg.n_hidden
    return f"{m:,} dimensions" if m > 1 else "1 dimension"


SAY: dict[str, Callable[[Family], str]] = {
    "intro": _represented,
    "norms": _norms,
    "geometry": _geometry,
    "dimensionality": _dimensionality,
    "phase": _phase,
    "correlated": _correlated,
    "basis": _basis,
}
"""What is said of a family, by experiment; of others their losses."""
