"""The result of a search for a circuit: claims, arrays, the circuit as a file, and a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from mitool.analysis.circuits.audit import Audit
from mitool.analysis.circuits.caveats import caveats, under_claim
from mitool.analysis.circuits.evaluation import ABLATIONS, Chosen, Evaluation
from mitool.analysis.circuits.files import StoredCircuit, as_json
from mitool.analysis.circuits.origin import Origin
from mitool.analysis.circuits.truth import Agreement
from mitool.analysis.circuits.units import Units
from mitool.core.device import generator
from mitool.core.result import Claim, Result, json_value, number
from mitool.settings import CircuitSettings
from mitool.storage import layout

IDLE = 0.005
"""A unit without which the circuit loses less faithfulness than this does not matter in it."""

OF_PAIRS = ("n_pairs", "n_distinct", "n_groups")
OF_HOLDOUT = ("n_groups_total",)
OF_SIZE = ("metric", "n_edges_total", "n_edges", "n_nodes")
OF_UNITS = ("n_units_total", "n_units")
OF_ANSWERS = (
    *("metric_full", "metric_empty", "metric_circuit", "faithfulness", "faithfulness_ci"),
    *("kl", "top1_agreement", "metric_complement", "completeness", "n_tested", "n_idle"),
)
OF_CURVE = ("cpr", "cmd")
OF_RANDOM = ("random_faithfulness",)
OF_AUDIT = ("audit_pearson", "audit_spearman", "audit_sign_agreement")
OF_TRUTH = ("precision", "recall")


@dataclass(frozen=True)
class CircuitResult(Result):
    """A circuit and what its tests came to."""

    arrays_name: ClassVar[str] = layout.CIRCUIT_ARRAYS

    origin: Origin
    found: Chosen
    evaluation: Evaluation
    audit: Audit | None
    agreement: Agreement | None

    @property
    def unit(self) -> str:
        """Of the metric."""
        return self.origin.found_on.material.metric.unit

    @property
    def gap(self) -> str:
        """What faithfulness is a share of, in words."""
        between = "the whole model and nothing of it"
        if self.origin.tested_on.ablation == "patch":  # where nothing of it is the corrupted run
            between = "the clean and the corrupted run"
        return f"the gap in {self.unit} between {between}"

    def arrays(self) -> Mapping[str, Tensor]:
        found, tests = self.found, self.evaluation
        arrays = {
            "exists": found.units.exists,
            "in_circuit": found.units.placed(found.chosen.double()).bool(),
            "edges_in_circuit": found.circuit.edges,
            "metric.full": tests.ends.full,
            "metric.empty": tests.ends.empty,
            "metric.circuit": tests.alone.metric[0],
            "metric.complement": tests.complement,
            "metric.random": tests.random,
            "metric.without": tests.without,
            "without.units": tests.tested,
            "kl": tests.alone.kl[0],
            "agreement": tests.alone.agreement[0],
            "pairs.tested": self.origin.tested_on.chosen,
            "pairs.found_on": self.origin.found_on.chosen,
            "pairs.group": self.origin.tested_on.material.pair_groups.of,
        }
        if found.scores is not None:
            arrays["scores"] = found.units.placed(found.scores)
        if tests.curve is not None:
            arrays |= {
                "curve.fractions": torch.tensor(tests.curve.fractions),
                "curve.sizes": torch.tensor(tests.curve.sizes),
                "curve.signed": tests.curve.signed,
                "curve.absolute": tests.curve.absolute,
            }
        if self.audit is not None:
            arrays |= {f"audit.{name}": value for name, value in vars(self.audit).items()}
        return arrays

    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        units, scores = self.found.units, self.found.scores
        held = {} if scores is None else {units.level: units.placed(scores)}
        stored = StoredCircuit(self.found.circuit, held)
        return {layout.CIRCUIT: as_json(stored, units.d_model, units.columns)}

    @property
    def checkable(self) -> Mapping[str, Claim]:
        """The score of every unit too, which are no claims."""
        if self.found.scores is None:
            return self.claims
        names, values = self.found.units.names, json_value(self.found.scores.tolist())
        return {**self.claims, **{f"scores.{n}": v for n, v in zip(names, values, strict=True)}}

    @property
    def conclusion(self) -> str | None:
        claims, sure = self.claims, self.claims["faithfulness_ci"]
        if not claims["n_edges"]:
            return (
                f"the circuit is empty: what was chosen of {claims['n_edges_total']:,} edges forms "
                "no path from the input to the answer"
            )
        ends = ""
        if isinstance(sure, list):
            ends = f" (95 % interval {sure[0]:z.1%} to {sure[1]:z.1%})"
        held = f" on pairs that were held out ({_held(claims)})" if self.origin.is_held_out else ""
        value = claims["faithfulness"]
        if not isinstance(value, float):
            return None
        beyond = ", which is further off than nothing of the model" if value < 0 else ""
        return (
            f"{claims['n_edges']:,} of {claims['n_edges_total']:,} edges keep {value:z.1%} of "
            f"{self.gap}{ends}{held}{beyond}"
        )


def claim_names(
    settings: CircuitSettings, units: Units, has_scores: bool, has_truth: bool
) -> list[str]:
    """What the claims will be called, and what else can be checked."""
    names = [*OF_PAIRS, *(OF_HOLDOUT if settings.holdout else ()), *OF_SIZE]
    names += [*(OF_UNITS if _has_own_units(units) else ()), *OF_ANSWERS]
    names += OF_CURVE if has_scores else ()
    names += OF_RANDOM if settings.random_circuits else ()
    names += [under_claim(ablation) for ablation in ABLATIONS]
    names += OF_AUDIT if settings.audit else ()
    names += (*OF_TRUTH, *(("auroc",) if has_scores else ())) if has_truth else ()
    return names + ([f"scores.{name}" for name in units.names] if has_scores else [])


def circuit_result(
    origin: Origin,
    found: Chosen,
    tests: Evaluation,
    audited: Audit | None,
    agreement: Agreement | None,
    subject: Mapping[str, Any],
    config: Mapping[str, Any],
) -> CircuitResult:
    """The result of what was found and tested."""
    claims = _of_size(found, origin) | _of_answers(tests, origin)
    claims |= {} if tests.curve is None else {"cpr": tests.curve.cpr, "cmd": tests.curve.cmd}
    if origin.settings.random_circuits:
        claims["random_faithfulness"] = number(tests.ends.faithfulness(tests.random).mean())
    for ablation, under in tests.ablations.items():
        claims[under_claim(ablation)] = number(under.ends.faithfulness(under.circuit[None])[0])
    if audited is not None:
        claims |= {
            "audit_pearson": number(audited.pearson),
            "audit_spearman": number(audited.spearman),
            "audit_sign_agreement": number(audited.sign_agreement),
        }
    if agreement is not None:
        claims |= {
            "precision": number(agreement.precision),
            "recall": number(agreement.recall),
        }
        claims |= {} if found.scores is None else {"auroc": number(agreement.auroc)}
    return CircuitResult(
        subject,
        config,
        claims,
        origin=origin,
        found=found,
        evaluation=tests,
        audit=audited,
        agreement=agreement,
        warnings=tuple(caveats(origin, tests, claims, config)),
    )


def _of_size(found: Chosen, origin: Origin) -> dict[str, Claim]:
    groups = origin.tested_on.groups
    claims: dict[str, Claim] = {
        "n_pairs": len(groups),
        "n_distinct": groups.n_distinct,
        "n_groups": groups.n,
    }
    if origin.is_held_out:
        claims["n_groups_total"] = origin.tested_on.material.pair_groups.n
    claims |= {
        "metric": origin.found_on.material.metric.unit,
        "n_edges_total": len(found.units.table.edges),
        "n_edges": found.circuit.n_edges,
        "n_nodes": found.circuit.n_nodes,
    }
    if _has_own_units(found.units):
        claims |= {"n_units_total": len(found.units), "n_units": int(found.chosen.sum())}
    return claims


def _of_answers(tests: Evaluation, origin: Origin) -> dict[str, Claim]:
    ends, alone = tests.ends, tests.alone
    n, drawn = origin.settings.resamples, generator(origin.seed, "bootstrap")
    low, high = ends.interval(alone.metric, origin.tested_on.groups.of, n, drawn)[:, 0]
    left = number(ends.faithfulness(tests.complement[None])[0])
    sure = [number(low), number(high)]
    return {
        "metric_full": ends.full.mean().item(),
        "metric_empty": ends.empty.mean().item(),
        "metric_circuit": alone.metric.mean().item(),
        "faithfulness": number(ends.faithfulness(alone.metric)[0]),
        "faithfulness_ci": None if None in sure else [x for x in sure if x is not None],
        "kl": alone.kl.mean().item(),
        "top1_agreement": alone.agreement.mean().item(),
        "metric_complement": tests.complement.mean().item(),
        "completeness": None if left is None else 1 - left,
        "n_tested": len(tests.tested),
        "n_idle": int((tests.losses.abs() < IDLE).sum()),
    }


def _held(claims: Mapping[str, Claim]) -> str:
    return f"{claims['n_groups']:,} of {claims['n_groups_total']:,} groups"


def _has_own_units(units: Units) -> bool:
    """Whether units are something else than edges."""
    return units.level != "edge" or bool(units.columns)
