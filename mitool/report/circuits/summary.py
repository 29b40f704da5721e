"""What a search for a circuit found in plain sentences, and words that captions share."""

from mitool.analysis.circuits import CircuitResult
from mitool.analysis.circuits.faithfulness import ZERO
from mitool.report.evidence import of_groups
from mitool.report.tables import readable
from mitool.settings import Ablation

CARRIES = {
    "patch": "what is written on the corrupted input",
    "zero": "zeros",
    "mean": "its mean over the clean inputs of {pairs} and all positions",
    "mean-positional": "its mean at each position over the clean inputs of {pairs}",
}
SCORE = (
    "A score is how much of the {unit} is lost without {one}, by {method}: above 0 it moves the "
    "{unit} towards the whole model's, below 0 away from it"
)


def circuit_title(result: CircuitResult) -> str:
    """What was looked for."""
    method = result.origin.method
    if method is not None:
        return f"Circuit by {method.title}"
    return "A given circuit" if result.config.get("circuit") else "Circuit by given scores"


def summary_of(result: CircuitResult) -> str:
    """The finding, on which pairs it was made, and what chance does."""
    claims = result.claims
    found = result.conclusion or (
        f"The circuit has {claims['n_edges']:,} of {claims['n_edges_total']:,} edges; how much of "
        f"{result.gap} they keep is undefined"
    )
    # of pairs that are held out the conclusion speaks itself
    found += "" if result.origin.is_held_out else f", {tested_on(result)}"
    origin = result.origin
    groups = of_groups(origin.tested_on.material.pair_groups, are_divided=origin.is_held_out)
    return f"{found}.{_by_chance(result)}{groups}"


def tested_on(result: CircuitResult) -> str:
    """On which pairs."""
    groups = result.origin.tested_on.groups
    if result.origin.is_held_out:
        total = result.origin.tested_on.material.pair_groups.n
        pairs = f"{len(groups):,} pair{'s' * (len(groups) != 1)}"
        return f"on {pairs} that were held out ({groups.n:,} of {total:,} groups)"
    if result.config.get("circuit"):
        return f"on {groups}"
    return f"on the {groups} that the circuit was found on"


def carried(result: CircuitResult, ablation: Ablation | None = None) -> str:
    """What all outside of a circuit carries; under that ablation, or the result's own."""
    origin = result.origin
    pairs = "the pairs that are not held out" if origin.is_held_out else "all pairs"
    return CARRIES[ablation or origin.tested_on.ablation].format(pairs=pairs)


def how(result: CircuitResult) -> str:
    """What the circuit was tested by: a sentence for a caption."""
    return f"Means {tested_on(result)}; all outside of a circuit carries {carried(result)}."


def meaning(result: CircuitResult) -> str:
    """What faithfulness is: a sentence for a caption."""
    ends = result.evaluation.ends
    full, empty = ends.full.mean().item(), ends.empty.mean().item()
    empty = 0.0 if abs(empty) <= ZERO * abs(full) else empty
    return (
        f"Faithfulness is the share of {result.gap} that a circuit alone keeps: 1 is all of it, as "
        f"the whole model ({readable(full)}), and 0 as much as nothing of the model "
        f"({readable(empty)})."
    )


def of_scores(result: CircuitResult, one: str) -> str:
    """What scores are: a sentence for a caption, or the start of one.

    Args:
        one: of the units.
    """
    method = result.origin.method
    if method is not None and method.name == "random":
        return f"A score is drawn at random, and says nothing of {one}"
    by = "scores of a file" if method is None else method.title
    return SCORE.format(unit=result.unit, one=one, method=by)


def units_of(result: CircuitResult, n: int) -> str:
    """So many units, in words."""
    return f"{n:,} {unit_name(result, n)}"


def unit_name(result: CircuitResult, n: int = 1) -> str:
    """What a unit is called, or several are."""
    units = result.found.units
    if n == 1:
        return f"{units.level} at a position" if units.columns else units.level
    return f"{units.level}s at positions" if units.columns else f"{units.level}s"


def percent(value: float) -> str:
    """A share of the gap."""
    return f"{value:z.1%}"


def random_faithfulness(result: CircuitResult) -> list[float]:
    """Of each random circuit; none where it is undefined."""
    tests = result.evaluation
    if not tests.ends.is_defined or not len(tests.random):
        return []
    return tests.ends.faithfulness(tests.random).tolist()


def _by_chance(result: CircuitResult) -> str:
    found = random_faithfulness(result)
    if not found:
        return ""
    size = units_of(result, int(result.found.chosen.sum()))
    mean = sum(found) / len(found)
    if len(found) == 1:
        return f" A random circuit of {size} keeps {percent(mean)} of the gap."
    return (
        f" {len(found):,} random circuits of {size} keep {percent(mean)} of the gap on average "
        f"({percent(min(found))} to {percent(max(found))})."
    )
