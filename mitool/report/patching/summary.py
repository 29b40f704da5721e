"""What patching found in a line, and how it was done, in words."""

from mitool.analysis.patching import PatchResult
from mitool.analysis.patching.plan import Plan
from mitool.report.evidence import over
from mitool.report.patching.shown import is_defined, values
from mitool.report.tables import readable

PUT_IN = {
    "zero": "Zeros are put",
    "mean": "The mean activation, over the clean inputs of all pairs and all positions, is put",
    "mean-positional": "The mean activation at each position, over the clean inputs of all pairs, "
    "is put",
}


ON_CELLS = "On pointing at a cell"
"""Where a heatmap has its intervals."""


def patching_title(plan: Plan) -> str:
    """What was done."""
    if plan.ablation != "patch":
        return f"{plan.ablation.partition('-')[0].capitalize()} ablation"
    kinds = {"Activation": plan.families, "Path": plan.paths, "Edge": plan.edges}
    done = [kind for kind, patched in kinds.items() if patched]
    return f"{done[0]} patching" if len(done) == 1 else "Patching"


def summary_of(result: PatchResult) -> str:
    """The finding, and what all edges together do."""
    if not is_defined(result):
        metric = readable(result.measured.clean.mean().item())
        return (
            f"Effects are undefined: the {result.unit} is {metric} on the clean and on the "
            f"corrupted inputs. {_changes(result)}"
        )
    found = [result.conclusion or f"{result.claims['n_sites']} sites were patched"]
    if together := _all_edges(result):
        found.append(together)
    return "; ".join(found)


def _changes(result: PatchResult) -> str:
    moved = values(result, result.top.family)[result.top.index].item()
    if not moved:
        return "No patch changes it."
    return f"Patching {result.effects[result.top.family].sites[result.top.index]} changes it most."


def _all_edges(result: PatchResult) -> str | None:
    """Nothing where there is one edge, which is all there is."""
    n = len(result.plan.edges)
    found = result.finding("all_edges", 0, are_many=True) if n > 1 else None
    return None if found is None else f"all {n:,} edges together {found}"


def how(result: PatchResult, at: str = "at one site at a time") -> str:
    """What was put where, and what the numbers drawn are: sentences for a caption."""
    plan = result.plan
    if plan.ablation != "patch":
        done = f"{PUT_IN[plan.ablation]} into the clean run, {at}."
    elif plan.direction == "denoise":
        done = f"Clean activations are put into the corrupted run, {at}."
    else:
        done = f"Corrupted activations are put into the clean run, {at}."
    return f"{done} {_meaning(result)}"


def intervals(result: PatchResult, where: str) -> str:
    """What a caption says of intervals, where there are some.

    Args:
        where: it is that they are shown.
    """
    if not is_defined(result) or result.groups.n == 1:
        return ""
    return f" {where}: 95 % bootstrap intervals {over(result.groups)}."


def _meaning(result: PatchResult) -> str:
    measured, pairs = result.measured, result.groups
    if not is_defined(result):
        return (
            f"The {result.unit} is the same in the clean and in the corrupted run, so that effects "
            f"are undefined: what is drawn is how much it changes, as a mean over {pairs}."
        )
    clean, corrupted = (
        readable(part.mean().item()) for part in (measured.clean, measured.corrupted)
    )
    moves = "restores" if result.plan.direction == "denoise" else "takes away"
    one = "all of it" if result.plan.ablation == "patch" else "as much as corrupting the input does"
    return (
        f"An effect is the share of the gap in {result.unit} between the clean and the corrupted "
        f"run ({clean} and {corrupted}, means over {pairs}) that this {moves}: 1 is {one}, 0 "
        "nothing, and below 0 it widens."
    )
