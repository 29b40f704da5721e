"""What a run that engineers monosemanticity found, in a line, and in a table."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from mitool.analysis.monosemanticity import MonosemanticityResult, StudiedModel
from mitool.report.monosemanticity.shown import is_number, value_name, values_of
from mitool.report.tables import Table, cell, readable
from mitool.settings.monosemanticity import SCALES

SIZES = {"N": "features", "m": "dimensions", "k": "neurons"}
OUTPUTS = {
    "decoder": "the features",
    "abs": "their absolute values",
    "reproject": "a second projection of them",
}
NEURONS = {"relu": "ReLU", "gelu": "GeLU", "solu": "SoLU"}


def summary_of(result: MonosemanticityResult) -> str:
    """What was trained, what was swept, and which models have most and least such neurons."""
    swept = [f"{axis} is swept {_over(result, axis)}" for axis in result.swept]
    made = "; ".join([_models(result), *swept])
    return " ".join(filter(None, [f"{made}.", _ends(result), _source(result)]))


def models_table(result: MonosemanticityResult) -> tuple[Table, ...]:
    """A row for each model of several: all claims, which are lists of as many values."""
    n = len(result.models)
    columns = {
        name: values
        for name, values in result.claims.items()
        if isinstance(values, list | tuple) and len(values) == n
    }
    if n < 2 or not columns:
        return ()
    rows = [
        (str(number), tuple(cell(values[number], "undefined") for values in columns.values()))
        for number in range(n)
    ]
    return (Table("Models", tuple(columns), tuple(rows)),)


def _models(result: MonosemanticityResult) -> str:
    n = len(result.models)
    found = [asdict(studied.settings) for studied in result.models.values()]
    sizes = [f"{name} = {_range([s[name] for s in found])} {word}" for name, word in SIZES.items()]
    tasks = {str(s["task"]): None for s in found}
    kinds = {str(s["activation"]): None for s in found}
    outputs = " or ".join(f"{OUTPUTS.get(task, task)} ({task})" for task in tasks)
    neurons = " or ".join(NEURONS.get(kind, kind) for kind in kinds)
    return (
        f"{n:,} model{'s' if n > 1 else ''} of {', '.join(sizes[:2])} and {sizes[2]} ({neurons}), "
        f"whose outputs are to be {outputs}"
    )


def _over(result: MonosemanticityResult, axis: str) -> str:
    values = values_of(result, axis)
    if len(values) > 2 and all(map(is_number, values)):
        ends = f"{value_name(values[0])} to {value_name(values[-1])}"
        return f"over {len(values)} values, {ends}"
    return f"over {', '.join(map(value_name, values))}"


def _ends(result: MonosemanticityResult) -> str:
    """The models with most and with fewest monosemantic neurons; of equals, the first, and how many
    others are its equals.
    """
    known = {name: m for name, m in result.models.items() if m.loss is not None}
    if not known:
        return "All have diverged."
    if len(result.models) == 1:
        return f"{_said(next(iter(known.values())))}."
    most = max(known, key=lambda name: known[name].monosemantic_neurons)
    fewest = min(known, key=lambda name: known[name].monosemantic_neurons)
    if known[most].monosemantic_neurons == known[fewest].monosemantic_neurons:
        losses = [studied.loss for studied in known.values() if studied.loss is not None]
        ends = f"{_rounded(min(losses))} to {_rounded(max(losses))}"
        which = "All" if len(known) == len(result.models) else "All that have not diverged"
        return f"{which} have {_count(known[most])}, with losses of {ends}."
    return " ".join(
        f"{word}: {_said(known[name])}, at {name}{_equals(known[name], known.values())}."
        for word, name in (("Most", most), ("Fewest", fewest))
    )


def _equals(studied: StudiedModel, models: Iterable[StudiedModel]) -> str:
    count = studied.monosemantic_neurons
    n = sum(other.monosemantic_neurons == count for other in models) - 1
    return f" (as many in {n:,} other{'s' * (n > 1)})" if n else ""


def _said(studied: StudiedModel) -> str:
    assert studied.loss is not None
    return f"{_count(studied)}, loss {_rounded(studied.loss)}"


def _count(studied: StudiedModel) -> str:
    count = studied.monosemantic_neurons
    per_feature = _rounded(count / studied.settings.N)
    return f"{count:,} monosemantic neuron{'' if count == 1 else 's'} ({per_feature} per feature)"


def _rounded(value: float) -> str:
    return readable(float(f"{value:z.3g}"))


def _source(result: MonosemanticityResult) -> str:
    preset = f"preset {result.preset} of the published table" if result.preset else ""
    if result.scale == "published":
        return f"This is {preset}." if preset else ""
    scale = SCALES.get(result.scale)
    how = result.scale if scale is None else str(scale)
    return f"Scaled down from {preset}: {how}." if preset else f"Scaled down: {how}."


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
