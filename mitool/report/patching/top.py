"""The sites that matter most, of all families together."""

from mitool.analysis.patching import PatchResult
from mitool.report.figures import Figure
from mitool.report.patching.bars import effect_bars
from mitool.report.patching.shown import values
from mitool.report.patching.summary import how, intervals

MOST = 20


def top_figures(result: PatchResult) -> list[Figure]:
    """Nothing where only paths or edges were patched, or nothing changed.

    The residual stream is left out where components were patched too: it is everything there is
    at a position.
    """
    families = result.plan.families
    chosen = [family for family in families if not family.is_residual] or families
    found = [
        (family.name, index)
        for family in chosen
        for index, share in enumerate(result.effects[family.name].changed.tolist())
        if share
    ]
    sizes = {name: values(result, name).abs().nan_to_num(nan=-1.0).tolist() for name, _ in found}
    sites = sorted(found, key=lambda site: -sizes[site[0]][site[1]])[:MOST]
    if not sites:
        return []
    of_all = len(chosen) == len(families)
    left_out = " The residual stream is left out: it is all there is at a position."
    return [
        Figure(
            "top_sites",
            f"The largest effects{'' if of_all else ' of components'}",
            f"{how(result)} The {len(sites)} largest of {len(found):,} sites that change, of "
            "either sign."
            f"{'' if of_all else left_out}{intervals(result, 'Lines')}",
            effect_bars(result, sites),
        )
    ]
