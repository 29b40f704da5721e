"""Circuits: which edges of a model carry an answer, and whether they alone do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitool.analysis.circuits.audit import Audit, audit
from mitool.analysis.circuits.bench import Bench, divided
from mitool.analysis.circuits.evaluation import Chosen, evaluate
from mitool.analysis.circuits.files import StoredCircuit, read_circuit
from mitool.analysis.circuits.methods import Method, method_of
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.result import CircuitResult, Origin, circuit_result, claim_names
from mitool.analysis.circuits.study import Progress, Selected, ends_of, score, select
from mitool.analysis.circuits.truth import agreement
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.material import GivenPairs, material_of
from mitool.config import as_dict
from mitool.device import Device, host
from mitool.errors import UsageError
from mitool.models.pretrained import Pretrained
from mitool.settings import SIZES, CircuitSettings
from mitool.subject import Subject

__all__ = ["CircuitFiles", "CircuitResult", "CircuitStudy", "analyze_circuit", "prepare_circuit"]


@dataclass(frozen=True)
class CircuitFiles:
    """Files of circuits; each of those that ``read_circuit`` takes.

    Attributes:
        circuit: to test, instead of looking for one.
        scores: to choose by, instead of scoring again.
        truth: to compare with what is found.
    """

    circuit: Path | None = None
    scores: Path | None = None
    truth: Path | None = None


@dataclass(frozen=True)
class CircuitStudy:
    """What is looked for and on what, ready to run.

    Attributes:
        found_on: the pairs that a circuit is found on.
        tested_on: those that it is tested on; the same ones where none are held out.
        method: what scores units; None where scores or a circuit are given.
    """

    found_on: Bench
    tested_on: Bench
    units: Units
    settings: CircuitSettings
    method: Method | None
    given: StoredCircuit | None
    stored: StoredCircuit | None
    truth: StoredCircuit | None
    subject: dict[str, Any]
    config: dict[str, Any]
    seed: int

    @property
    def claim_names(self) -> list[str]:
        has_scores = self.method is not None or self.stored is not None
        return claim_names(self.settings, self.units, has_scores, self.truth is not None)

    @property
    def plan(self) -> str:
        """How the work fits into memory, for a reader."""
        return self.found_on.plan

    def run(self, progress: Progress = lambda label, done, total: None) -> CircuitResult:
        """Score, choose and test.

        Args:
            progress: told of what is done, how much of it, and of how much.

        Raises:
            InputError: the metric is the same with the model and with nothing of it, or the model's
                outputs are not finite.
            UsageError: the selection is not defined for the level.
        """
        ends = ends_of(self.found_on, self.units)
        gap = ends.gap.mean().item()
        scoring = Scoring(
            self.found_on,
            self.units,
            1 if gap > 0 else -1,
            abs(gap),
            self.settings.ig_steps,
            self.settings.threshold,
            self.seed,
        )
        found, reached = self._found(scoring, ends, progress)
        evaluation = evaluate(
            self.tested_on, found, self.settings, self.seed, lambda d, t: progress("testing", d, t)
        )
        return circuit_result(
            Origin(self.found_on, self.tested_on, self.settings, self.method, reached, self.seed),
            found,
            evaluation,
            self._audited(scoring, found, progress),
            None
            if self.truth is None
            else agreement(self.units, found.chosen, found.scores, self.truth.circuit),
            self.subject,
            self.config,
        )

    def _found(
        self, scoring: Scoring, ends: Any, progress: Progress
    ) -> tuple[Chosen, float | None]:
        """The circuit, and the faithfulness that it was chosen for."""
        scores = None
        if self.stored is not None:
            scores = self.units.listed(self.stored.scores[self.units.level])
        elif self.method is not None:
            scores = score(scoring, self.method, progress)
        if self.given is not None:
            circuit = self.given.circuit
            return Chosen(self.units, circuit, self.units.units_of(circuit), scores), None
        assert scores is not None, "without a circuit there is a method, or scores of a file"
        selected: Selected = select(scoring, scores, ends, self.settings, progress)
        circuit = self.units.circuit(selected.units)
        chosen = self.units.units_of(circuit)
        return Chosen(self.units, circuit, chosen, scores), selected.reached

    def _audited(self, scoring: Scoring, found: Chosen, progress: Progress) -> Audit | None:
        n = min(self.settings.audit, len(self.units))
        if not n or found.scores is None:
            return None
        total, count = n * len(self.found_on), 0

        def done(more: int) -> None:
            nonlocal count
            count += more
            progress("audit", count, total)

        return audit(scoring.telling(done), found.scores, n)


def analyze_circuit(
    subject: Subject | Pretrained,
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
    return prepare_circuit(
        subject, settings, pairs=pairs, files=files, seed=seed, device=device
    ).run()


def prepare_circuit(
    subject: Subject | Pretrained,
    settings: CircuitSettings | None = None,
    *,
    pairs: GivenPairs = None,
    files: CircuitFiles | None = None,
    seed: int = 0,
    device: Device | None = None,
) -> CircuitStudy:
    """Find what is to be done; arguments and errors are those of ``analyze_circuit``."""
    settings, files, device = (
        settings or CircuitSettings(),
        files or CircuitFiles(),
        device or host(),
    )
    method = _method(settings, files)
    material = material_of(subject, pairs, settings.metric, settings.n_pairs, device, seed)
    if settings.holdout and material.n_pairs < 2:
        raise UsageError("--holdout divides the pairs: expected at least 2, found 1")
    found_on, tested_on = (
        Bench(
            material,
            chosen,
            settings.ablation,
            Budget.of(settings.memory, device),
            settings.by_position,
        )
        for chosen in divided(material.n_pairs, settings.holdout, seed)
    )
    columns = material.columns if settings.by_position else ()
    units = Units(found_on.table, settings.level, material.decoder.d_model, columns)
    given, stored, truth = (
        None if path is None else read_circuit(path, units.table, units.d_model, columns)
        for path in (files.circuit, files.scores, files.truth)
    )
    if stored is not None:
        _require_scores(files.scores, stored, units)
    config = as_dict(settings) | {
        "method": method.name if method else None,
        "metric": material.metric.name,
        "pairs": str(pairs) if isinstance(pairs, Path) else None,
        **{name: None if path is None else str(path) for name, path in vars(files).items()},
        "seed": seed,
        "read": material.name,
        "memory_plan": found_on.plan,
        **device.describe(),
    }
    return CircuitStudy(
        found_on,
        tested_on,
        units,
        settings,
        method,
        given,
        stored,
        truth,
        subject.describe(),
        config,
        seed,
    )


def _method(settings: CircuitSettings, files: CircuitFiles) -> Method | None:
    """What scores units; None where that is not asked for.

    Raises:
        UsageError: what is asked for contradicts itself.
    """
    if files.scores is not None and settings.method is not None:
        raise UsageError("--scores and --method: expected one of them; leave the other out")
    sizes = [name for name in SIZES if getattr(settings, name) is not None]
    if files.circuit is not None and sizes:
        raise UsageError(
            f"--circuit is tested as it is, and --{sizes[0]} chooses another: leave one of them out"
        )
    if settings.method is not None or (files.circuit is None and files.scores is None):
        return method_of(settings)
    if settings.audit and files.scores is None:
        raise UsageError("--audit is of scores: give a --method, or --scores")
    return None


def _require_scores(path: Path | None, stored: StoredCircuit, units: Units) -> None:
    if units.level not in stored.scores:
        has = ", ".join(stored.scores) or "none"
        raise UsageError(
            f"--scores {path}: expected scores at level {units.level}, found {has}; choose another "
            "--level, or score again with --method"
        )
    if stored.scores[units.level].shape != units.exists.shape:
        raise UsageError(
            f"--scores {path}: expected a score for each position of an edge, found one for all; "
            "leave out --by-position, or score again with --method"
        )
