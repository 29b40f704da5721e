"""What the circuit loses without each of its units."""

from mitool.analysis.circuits import CircuitResult
from mitool.analysis.circuits.result import IDLE
from mitool.report.circuits.bars import Bar, unit_bars
from mitool.report.circuits.summary import how, unit_name, units_of
from mitool.report.figures import BLUE, VERMILLION, Figure, label

IDLER = "#B0B5BD"


def minimality_figures(result: CircuitResult) -> list[Figure]:
    """Nothing where no unit was tested."""
    tests = result.evaluation
    if not len(tests.tested) or not tests.ends.is_defined:
        return []
    order = tests.losses.argsort(descending=True, stable=True).tolist()
    units, losses = tests.tested.tolist(), tests.losses.tolist()
    names, one = result.found.units.names, unit_name(result)
    bars = [_bar(names[units[index]], losses[index]) for index in order]
    n, n_in = len(units), int(result.found.chosen.sum())
    which = f"each of its {units_of(result, n_in)}"
    if n < n_in:
        which = f"{n:,} of its {units_of(result, n_in)}, drawn at random"
    idle = int((tests.losses.abs() < IDLE).sum())
    return [
        Figure(
            "minimality",
            f"What the circuit loses without each {one}",
            f"How much lower the circuit's faithfulness is with one {one} less, for {which}; "
            f"below 0 the circuit does better without it. Grey: idle, less than {IDLE:zg} either "
            f"way ({idle:,} of {n:,}). {how(result)}",
            unit_bars(bars, "loss of faithfulness"),
        )
    ]


def _bar(name: str, loss: float) -> Bar:
    group, color = ("lost without it", VERMILLION) if loss > 0 else ("better without it", BLUE)
    if abs(loss) < IDLE:
        group, color = "idle", IDLER
    return Bar(name, loss, color, group, f"{label(name)}<br>loss {loss:z.4g}")
