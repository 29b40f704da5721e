"""The methods by which units are scored, one a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mitool.analysis.circuits.methods.acdc import acdc
from mitool.analysis.circuits.methods.clean_corrupted import clean_corrupted
from mitool.analysis.circuits.methods.eap import eap
from mitool.analysis.circuits.methods.eap_ig import eap_ig
from mitool.analysis.circuits.methods.eap_ig_activations import eap_ig_activations
from mitool.analysis.circuits.methods.exact import exact
from mitool.analysis.circuits.methods.random import random
from mitool.analysis.circuits.methods.scoring import Score, Scoring
from mitool.core.errors import UsageError
from mitool.settings import CircuitSettings, MethodName


@dataclass(frozen=True)
class Method:
    """A way to score units.

    Attributes:
        title: what a reader calls it.
        by_gradients: it needs a metric that has some.
        between_inputs: it goes from the corrupted input to the clean one, so that it is defined
            where edges carry what is written on the corrupted input.
        of_edges: it goes edge by edge, so that there is none of nodes or neurons.
        counts: its steps, for progress: pairs, units, or both.
    """

    name: MethodName
    title: str
    score: Score
    by_gradients: bool = False
    between_inputs: bool = False
    of_edges: bool = False
    counts: Literal["pairs", "units", "both"] = "pairs"

    def n_steps(self, scoring: Scoring) -> int:
        """How many steps it tells of."""
        n_units = len(scoring.units) if self.counts != "pairs" else 1
        return n_units * (len(scoring.bench) if self.counts != "units" else 1)


METHODS: Mapping[MethodName, Method] = {
    method.name: method
    for method in (
        Method("eap", "EAP", eap, by_gradients=True),
        Method("eap-ig", "EAP-IG (inputs)", eap_ig, by_gradients=True, between_inputs=True),
        Method("eap-ig-activations", "EAP-IG (activations)", eap_ig_activations, by_gradients=True),
        Method(
            "clean-corrupted",
            "clean-corrupted",
            clean_corrupted,
            by_gradients=True,
            between_inputs=True,
        ),
        Method("exact", "exact patching", exact, counts="both"),
        Method("acdc", "ACDC", acdc, of_edges=True, counts="units"),
        Method("random", "random scores", random),
    )
}


DEFAULT: MethodName = "eap-ig"


def method_of(settings: CircuitSettings) -> Method:
    """The method that is asked for, or the default one.

    Raises:
        UsageError: it is not defined for the level, the ablation or the metric.
    """
    method = METHODS[settings.method or DEFAULT]
    if method.between_inputs and settings.ablation != "patch":
        others = ", ".join(m.name for m in METHODS.values() if not m.between_inputs)
        raise UsageError(
            f"--method {method.name} goes from the corrupted input to the clean one, and "
            f"--ablation {settings.ablation} has no such input; choose --ablation patch, or one of "
            f"the methods {others}"
        )
    if method.of_edges and settings.level != "edge":
        raise UsageError(
            f"--method {method.name} takes edges away one after another: expected --level edge, "
            f"found {settings.level}"
        )
    if method.by_gradients and settings.metric == "accuracy":
        raise UsageError(
            f"--method {method.name} needs a metric with a gradient, and accuracy has none; choose "
            "another --metric, or --method exact"
        )
    return method
