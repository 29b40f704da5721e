"""What figures draw of a site: its effect or, where none is defined, the change of the metric."""

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor

from mitool.analysis.patching import PatchResult
from mitool.analysis.patching.effects import difference
from mitool.core.result import number
from mitool.report.figures import label
from mitool.report.tables import readable

MOST_COLOUR = 2.0
"""Effects beyond this have the colour of this, so that one of them leaves the others theirs."""

MAX_SITE = 90
"""Letters of the name of a site."""


def is_defined(result: PatchResult) -> bool:
    """Whether the two runs differ, so that there are effects."""
    return difference(result.measured) is not None


def unit(result: PatchResult) -> str:
    """What ``values`` are, in full."""
    return "effect" if is_defined(result) else f"change of {result.unit}"


def short_unit(result: PatchResult) -> str:
    """The same where there is little room."""
    return "effect" if is_defined(result) else "change"


def values(result: PatchResult, name: str) -> Float[Tensor, " site"]:
    """The effect of each site of a family or, where none is defined, what patching it adds to the
    metric.
    """
    effects, measured = result.effects[name], result.measured
    if is_defined(result):
        return effects.effect
    base = measured.corrupted if result.plan.direction == "denoise" else measured.clean
    return effects.patched - base.mean()


def hover(result: PatchResult, name: str, index: int) -> str:
    """Everything on a site, for whoever points at it."""
    effects = result.effects[name]
    lines = [label(effects.sites[index], MAX_SITE)]
    effect, ends = number(effects.effect[index]), effects.interval(index)
    if effects.changed[index] == 0:
        lines.append(unchanged(result))
    elif effect is not None:
        lines.append(f"effect {effect:z.4g}")
        lines += [] if ends is None else [f"95 % interval {ends[0]:z.4g} to {ends[1]:z.4g}"]
    lines.append(f"{label(result.unit)} {readable(effects.patched[index].item())}")
    return "<br>".join(lines)


def unchanged(result: PatchResult) -> str:
    """Why patching a site does nothing at all."""
    if result.plan.ablation == "patch":
        return "the same in both runs"
    return "what is put in is what was there"


def limit_of(result: PatchResult, names: Iterable[str], least: float) -> tuple[float, str]:
    """Where the scale of colours ends on either side of 0, and what a caption says of that.

    Args:
        names: of all families that share the scale.
        least: where it ends if no effect is larger; a change of the metric has none such.
    """
    sizes = [values(result, name).abs().nan_to_num(nan=0.0).max().item() for name in names]
    size = max(sizes, default=0.0)
    if not is_defined(result):
        return size or 1.0, ""
    if size > MOST_COLOUR:
        note = f" Colours end at ±{MOST_COLOUR:zg}; the largest effect has a size of {size:z.4g}."
        return MOST_COLOUR, note
    return max(size, least) or 1.0, ""
