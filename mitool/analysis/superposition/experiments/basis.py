"""Neurons: a ReLU in the hidden layer makes its basis a privileged one."""

from collections.abc import Mapping

from mitool.analysis.superposition.experiments.base import (
    Experiment,
    Families,
    Plan,
    config,
    prefixed,
    sizes,
)
from mitool.analysis.superposition.neurons import active_neurons, features_computed, monosemantic
from mitool.core.errors import InputError
from mitool.core.result import Claim
from mitool.settings import SuperpositionSettings


def _plans(settings: SuperpositionSettings) -> Mapping[str, Plan]:
    (small,), (large,) = sizes(settings, (10, 5)), sizes(settings, (100, 40))
    has_neurons = {"hidden_activation": "relu"}
    return {
        "linear": Plan.spread(config(settings, small), settings, "0.75^i"),
        "relu": Plan.spread(config(settings, small, **has_neurons), settings, "0.75^i"),
        "abs": Plan.spread(config(settings, large, target="abs", **has_neurons), settings, "0.8^i"),
    }


def _claims(families: Families) -> Mapping[str, Claim]:
    """Features that are computed, and neurons of one feature and of several."""
    claims: dict[str, Claim] = {}
    for family, studied in families.items():
        models = studied.models
        is_mono, is_active = monosemantic(models), active_neurons(models)
        claims[prefixed(family, "features_computed")] = features_computed(models).tolist()
        claims[prefixed(family, "monosemantic_neurons")] = is_mono.sum(dim=1).tolist()
        claims[prefixed(family, "polysemantic_neurons")] = (
            (is_active & ~is_mono).sum(dim=1).tolist()
        )
    return claims


def _require_neurons(families: Families) -> None:
    if not any(s.models.cfg.hidden_activation == "relu" for s in families.values()):
        raise InputError(
            "expected models with a ReLU in the hidden layer, found none; take a run of mitool "
            "superpose basis"
        )


BASIS = Experiment(
    name="basis",
    plans=_plans,
    claims=_claims,
    require=_require_neurons,
)
