"""What a reader of a circuit's claims must know."""

from collections.abc import Mapping
from typing import Any

from mitool.analysis.circuits.evaluation import ABLATIONS, Evaluation
from mitool.analysis.circuits.origin import Origin
from mitool.analysis.interventions.evidence import FEW, few, only, warnings_of_pairs
from mitool.analysis.statistics import is_weak
from mitool.core.result import Claim

FAR = 0.1
"""By how much the share of pairs that is held out may differ from what is asked for, untold."""


def caveats(
    origin: Origin, tests: Evaluation, claims: Mapping[str, Claim], config: Mapping[str, Any]
) -> list[str]:
    """What a reader of the claims must know."""
    groups = origin.tested_on.groups
    found = [*warnings_of_pairs(origin.tested_on.material, origin.settings.n_pairs)]
    found += _of_holdout(origin, config) if origin.is_held_out else []
    if one := only(groups):
        found.append(f"{one}: faithfulness has no interval")
    if some := few(groups):
        found.append(f"{some} the interval of faithfulness says little")
    found += _of_what_it_was_found_on(origin, config)
    if tests.ends.is_defined and is_weak(tests.ends.gap, groups.of):
        found.append(
            "the metric differs little between the whole model and nothing of it: over other pairs "
            "the difference, which faithfulness is a share of, might be 0"
        )
    if origin.reached is not None and origin.reached < origin.settings.reach:
        found.append(
            f"no circuit reached a faithfulness of {origin.settings.reach:zg} on the pairs that it "
            f"was looked for on: this is the largest, with {origin.reached:z.3g}"
        )
    for ablation, under in tests.ablations.items():
        if not under.ends.is_defined:
            found.append(
                f"{under_claim(ablation)} is undefined: the metric is the same with the whole "
                "model and with nothing of it"
            )
    undefined = [name for name, value in claims.items() if value is None]
    known = {under_claim(ablation) for ablation in ABLATIONS}
    known |= {"faithfulness_ci"} if groups.n == 1 else set()
    for name in undefined:
        if name not in known:
            found.append(f"{name} is undefined: what it compares does not vary")
    return found


def _of_what_it_was_found_on(origin: Origin, config: Mapping[str, Any]) -> list[str]:
    """That a circuit was looked for on so few pairs that others may give another one."""
    if config.get("circuit") or (config.get("scores") and origin.reached is None):
        return []
    groups = origin.found_on.groups
    if groups.n >= FEW:
        return []
    return [f"the circuit was searched for on only {groups}: others may give another circuit"]


def _of_holdout(origin: Origin, config: Mapping[str, Any]) -> list[str]:
    """What a reader must know of the pairs that are held out."""
    found, settings = [], origin.settings
    groups, n = origin.tested_on.material.pair_groups, len(origin.tested_on)
    share = n / len(groups)
    if abs(share - settings.holdout) > FAR and abs(n - settings.holdout * len(groups)) > 1:
        found.append(
            f"{share:z.1%} of the pairs are held out, not {settings.holdout:z.1%}: pairs that "
            f"share an input stay together, and the largest of the {groups.n} groups has "
            f"{int(groups.of.bincount().max())} of {len(groups)} pairs"
        )
    for given in ("circuit", "scores"):
        if config.get(given):
            found.append(
                f"the pairs are held out of this run alone: the {given} of the file may have been "
                "found on these very pairs"
            )
    return found


def under_claim(ablation: str) -> str:
    """What the claim on faithfulness under an ablation is called."""
    return f"faithfulness_{ablation.replace('-', '_')}"
