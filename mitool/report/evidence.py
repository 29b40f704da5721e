"""What a page says of groups of pairs."""

from mitool.analysis.interventions.pair_groups import PairGroups

SHARED = "Pairs that have an input in common, directly or through others, are one group"
NAMED = "The file says which pairs are one group"
OVER_PAIRS, OVER_GROUPS = "over the pairs", "over groups of pairs"


def over(groups: PairGroups) -> str:
    """What intervals are over."""
    return OVER_PAIRS if groups.are_pairs else OVER_GROUPS


def of_groups(groups: PairGroups, *, are_divided: bool = False) -> str:
    """A sentence on groups, after a space; nothing where each pair is one and none are held out.

    Args:
        groups: of all pairs.
        are_divided: some of them are held out.
    """
    if groups.are_pairs and not are_divided:
        return ""
    stay = ", and held out together" if are_divided else ""
    return f" {NAMED if groups.are_named else SHARED}{stay}: {groups}."
