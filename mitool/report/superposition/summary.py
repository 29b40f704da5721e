"""What an experiment on superposition found, in a line."""

from collections.abc import Callable, Sequence

from mitool.analysis.superposition import SuperpositionResult, measures
from mitool.analysis.superposition.directions import cosines
from mitool.analysis.superposition.experiments.geometry import NEAR, PLATEAUS
from mitool.analysis.superposition.experiments.phase import Diagram
from mitool.analysis.superposition.neurons import active_neurons, features_computed, monosemantic
from mitool.analysis.superposition.polytopes import clusters
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


def summary_of(result: SuperpositionResult) -> str:
    """The finding, family by family."""
    say = SAY.get(result.experiment.name, _losses)
    families = [*families_of(result.families)]
    said = [f"{f.name}: {say(f)}" if f.name else say(f) for f in families[:MOST]]
    more = f"; and {len(families) - MOST} families more" if len(families) > MOST else ""
    goes_on = say not in OVERALL and any(len(family.models) > 1 for family in families)
    over = "from the densest features to the sparsest: " if goes_on else ""
    text = f"{over}{'; '.join(said)}{more}."
    return text[:1].upper() + text[1:] if goes_on or not families[0].name else text


def _represented(family: Family) -> str:
    counts = measures.represented(family.models.W).sum(dim=1).tolist()
    ends = _ends(family, counts)
    n = family.models.cfg.n_features
    return f"{ends} of {n:,} features are represented in {_dimensions(family)}"


def _norms(family: Family) -> str:
    means = [
        0.0 if mean is None else round(mean, 2)
        for mean in measures.mean_interference(family.models.W)
    ]
    return f"{_represented(family)}, with a mean superposition of {_ends(family, means)}"


def _geometry(family: Family) -> str:
    if not family.models.cfg.is_tied:
        return _losses(family)
    stars = measures.dimensions_per_feature(family.models.W)
    near = {
        name: ((stars - value).abs() < NEAR).double().mean().item()
        for name, value in PLATEAUS.items()
    }
    return (
        f"dimensions per feature {_ends(family, stars.tolist())}; {near['1']:.0%} of the "
        f"models are within {NEAR:g} of 1, and {near['half']:.0%} of 1/2"
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
    away = "" if inside is None else f", and {inside:.1%} of those away from its boundaries"
    return f"{diagram.agreement():.1%} of the cells are as the closed form says{away}"


def _correlated(family: Family) -> str:
    within, between = cosines(family.models.W, family.models.cfg.set_size)
    means = [_mean(values) for values in (within, between)]
    inside, across = ("undefined" if m is None else f"{m + 0.0:.2f}" for m in means)
    return f"mean cosine {inside} within sets and {across} between sets"


def _basis(family: Family) -> str:
    models = family.models
    is_mono, is_active = monosemantic(models), active_neurons(models)
    mono = is_mono.sum(dim=1).tolist()
    poly = (is_active & ~is_mono).sum(dim=1).tolist()
    computed = features_computed(models).tolist()
    return (
        f"{_ends(family, mono)} monosemantic and {_ends(family, poly)} polysemantic of "
        f"{models.cfg.n_hidden:,} neurons, {_ends(family, computed)} of "
        f"{models.cfg.n_features:,} features computed"
    )


def _losses(family: Family) -> str:
    n, losses = len(family.models), family.studied.losses
    low, high = (readable(_rounded(end(losses))) for end in (min, max))
    models, loss = ("1 model", low) if n == 1 else (f"{n:,} models", f"{low} to {high}")
    return f"{models} of {family.size}, with a loss of {loss}"


def _ends(family: Family, values: Sequence[float]) -> str:
    """The value of the densest and of the sparsest model."""
    order = by_density(family.models)
    first, last = (readable(_rounded(values[index])) for index in (order[0], order[-1]))
    return first if first == last else f"{first} to {last}"


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.3g}")


def _dimensions(family: Family) -> str:
    m = family.models.cfg.n_hidden
    return f"{m:,} dimensions" if m > 1 else "1 dimension"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


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

OVERALL = (_losses, _dimensionality, _phase, _correlated)
"""What is said of all models of a family together."""
