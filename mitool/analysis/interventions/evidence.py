"""What a reader must know of how much evidence the pairs of a study are."""

from mitool.analysis.interventions.material import Material
from mitool.analysis.interventions.pair_groups import PairGroups
from mitool.core.errors import first_few

FEW = 6
"""Groups below which no effect can be told from chance (p < 0.05), and intervals say little."""


def warnings_of_pairs(material: Material, asked_for: int | None) -> list[str]:
    """That there are fewer pairs than were asked for, or that their groups share inputs."""
    found, n, groups = [], material.n_pairs, material.pair_groups
    if asked_for is not None and asked_for > n:
        drawn = material.groups[0].drawn is not None
        has = "task has inputs for" if drawn else "file has"
        found.append(f"the {has} {n} pairs, fewer than the {asked_for} asked for")
    if groups.divided:
        found.append(
            "the file puts pairs that share an input into different groups "
            f"({first_few(groups.divided)}), which count as independent evidence all the same"
        )
    return found


def few(groups: PairGroups) -> str | None:
    """How few groups there are, in words, where that is too few; None else, and for one."""
    if not 1 < groups.n < FEW:
        return None
    if groups.are_pairs:
        return f"with {groups.n} pairs"
    return f"with {groups.n} groups ({len(groups)} pairs, of which {groups.n_distinct} differ)"


def only(groups: PairGroups) -> str | None:
    """That there is one group, in words; None where there are more."""
    if groups.n > 1:
        return None
    if groups.are_pairs:
        return "one pair says nothing of others"
    return f"{together(groups)}, and one group says nothing of others"


def together(groups: PairGroups) -> str:
    """Why several pairs are one group, in words."""
    if groups.n_distinct == 1:
        return f"all {len(groups)} pairs are the same"
    if groups.are_named:
        return f"the file puts all {len(groups)} pairs into one group"
    return f"all {len(groups)} pairs are linked by inputs that they share"
