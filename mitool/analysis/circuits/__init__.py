"""Circuits: which edges of a model carry an answer, and whether they alone do."""

from mitool.analysis.circuits.prepare import CircuitFiles, prepare_circuit
from mitool.analysis.circuits.result import CircuitResult
from mitool.analysis.circuits.search import CircuitSearch
from mitool.analysis.interventions.material import GivenPairs
from mitool.core.device import Device, host
from mitool.models.subject import Studied
from mitool.settings import CircuitSettings

__all__ = ["CircuitFiles", "CircuitResult", "CircuitSearch", "analyze_circuit", "prepare_circuit"]


def analyze_circuit(
    subject: Studied,
    settings: CircuitSettings | None = None,
    *,
    pairs: GivenPairs = None,
    files: CircuitFiles | None = None,
    seed: int = 0,
    device: Device | None = None,
) -> CircuitResult:
    """Find the circuit that carries an answer, and test it.

    Args:
        pairs: a file, or pairs that were read or made; left out, they are drawn from the task.
        files: circuits to test, to choose from, or to compare with.
        seed: of what is drawn.
        device: where to compute; left out, the CPU, in float32.

    Raises:
        InputError: the pairs or a file cannot be used, the model is no decoder that can be taken
            apart, its outputs are not finite, or the metric is the same with and without it.
        UsageError: settings contradict each other.
    """
    device = device or host()
    with device.active():
        return prepare_circuit(
            subject, settings, pairs=pairs, files=files, seed=seed, device=device
        ).run()
