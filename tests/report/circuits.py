"""Results of searches for circuits, in small models with random weights."""

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go

from mitool.analysis.circuits import CircuitResult, prepare_circuit
from mitool.analysis.circuits.evaluation import Ablated
from mitool.analysis.circuits.faithfulness import Ends
from mitool.report import Figure, circuit_figures
from mitool.settings import Ablation, CircuitSettings
from mitool.tasks.min import Min
from tests.report.attention import untrained


def searched(*, attn_only: bool = False, **options: Any) -> CircuitResult:
    """Two layers of three heads with MLPs, on pairs of two numbers.

    Args:
        options: settings.
    """
    settings = CircuitSettings(**{"n_pairs": 8, "resamples": 100, "edges": 40, **options})
    subject = untrained(Min(max_value=4), n_layers=2, n_heads=3, attn_only=attn_only)
    return prepare_circuit(subject, settings).run()


def by_name(result: CircuitResult) -> dict[str, Figure]:
    return {figure.name: figure for figure in circuit_figures(result)}


def given(result: CircuitResult, path: str = "circuit.json") -> CircuitResult:
    """As if the circuit came from a file, without scores."""
    return replace(
        result,
        config={**result.config, "method": None, "circuit": path},
        claims={k: v for k, v in result.claims.items() if k not in ("cpr", "cmd")},
        origin=replace(result.origin, method=None),
        found=replace(result.found, scores=None),
        evaluation=replace(result.evaluation, curve=None),
        audit=None,
    )


def undefined_under(result: CircuitResult, ablation: Ablation) -> CircuitResult:
    """With a metric that is the same with all and with nothing under an ablation."""
    tests = result.evaluation
    was = tests.ablations[ablation]
    ablated = Ablated(Ends(was.ends.full, was.ends.full), was.circuit)
    ablations = {**tests.ablations, ablation: ablated}
    return replace(result, evaluation=replace(tests, ablations=ablations))


def strokes(figure: Figure) -> list[go.Scatter]:
    """The traces of a drawing that are edges."""
    return [
        trace
        for trace in figure.plot.data
        if trace.mode == "lines" and trace.fill is None and trace.x != (None,)
    ]


def ways(trace: go.Scatter) -> list[list[tuple[float, float]]]:
    """The points of each line of a trace."""
    found: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(trace.x, trace.y, strict=True):
        if x is None:
            found.append([])
        else:
            found[-1].append((x, y))
    return [way for way in found if way]


def named(figure: Figure, name: str) -> go.Scatter:
    (trace,) = (trace for trace in figure.plot.data if trace.name == name)
    return trace
