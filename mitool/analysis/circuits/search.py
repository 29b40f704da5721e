"""A search for a circuit: score, choose, test."""

from dataclasses import dataclass, replace
from typing import Any

from mitool.analysis.circuits.audit import Audit, audit
from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.evaluation import Chosen, evaluate
from mitool.analysis.circuits.faithfulness import Ends
from mitool.analysis.circuits.files import StoredCircuit
from mitool.analysis.circuits.finding import Selected, ends_of, score, select
from mitool.analysis.circuits.methods import Method
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.origin import Origin
from mitool.analysis.circuits.result import CircuitResult, circuit_result, claim_names
from mitool.analysis.circuits.steps import Progress, Steps
from mitool.analysis.circuits.truth import Agreement, agreement
from mitool.analysis.circuits.units import Units
from mitool.pairs.reading import Reading
from mitool.settings import CircuitSettings


@dataclass(frozen=True)
class Stored:
    """Circuits of files, as ``CircuitFiles`` names them."""

    circuit: StoredCircuit | None = None
    scores: StoredCircuit | None = None
    truth: StoredCircuit | None = None


@dataclass(frozen=True)
class CircuitSearch:
    """What is looked for and on what, ready to run.

    Attributes:
        found_on: the pairs that a circuit is found on.
        tested_on: those that it is tested on; the same ones where none are held out.
        method: what scores units; None where that is not asked for.
    """

    found_on: Bench
    tested_on: Bench
    units: Units
    settings: CircuitSettings
    method: Method | None
    stored: Stored
    subject: dict[str, Any]
    config: dict[str, Any]
    seed: int
    reading: Reading

    @property
    def claim_names(self) -> list[str]:
        has_scores = self.method is not None or self.stored.scores is not None
        return claim_names(self.settings, self.units, has_scores, self.stored.truth is not None)

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
        scoring = self._scoring(ends)
        found, selected = self._found(scoring, ends, progress)
        evaluation = evaluate(self.tested_on, found, self.settings, self.seed, progress)
        result = circuit_result(
            Origin(
                self.found_on,
                self.tested_on,
                self.settings,
                self.method,
                selected.reached,
                self.seed,
            ),
            found,
            evaluation,
            self._audited(scoring, found, progress),
            self._agreement(found),
            self.subject,
            self.config,
        )
        notes = [*self.reading.warnings, *([selected.note] if selected.note else [])]
        return replace(result, warnings=(*notes, *result.warnings))

    def _scoring(self, ends: Ends) -> Scoring:
        gap, settings = ends.gap.mean().item(), self.settings
        return Scoring(
            self.found_on,
            self.units,
            sign=1 if gap > 0 else -1,
            gap=abs(gap),
            ig_steps=settings.ig_steps,
            threshold=settings.threshold,
            seed=self.seed,
        )

    def _found(self, scoring: Scoring, ends: Ends, progress: Progress) -> tuple[Chosen, Selected]:
        """The circuit, and how its units were chosen."""
        units, scores = self.units, None
        if self.stored.scores is not None:
            scores = units.listed(self.stored.scores.scores[units.level])
        elif self.method is not None:
            scores = score(scoring, self.method, progress)
        if self.stored.circuit is not None:
            circuit = self.stored.circuit.circuit
            chosen = units.units_of(circuit)
            return Chosen(units, circuit, chosen, scores), Selected(chosen)
        assert scores is not None, "without a circuit there is a method, or scores of a file"
        selected = select(scoring, scores, ends, self.settings, progress)
        circuit = units.circuit(selected.units)
        return Chosen(units, circuit, units.units_of(circuit), scores), selected

    def _agreement(self, found: Chosen) -> Agreement | None:
        truth = self.stored.truth
        if truth is None:
            return None
        return agreement(self.units, found.chosen, found.scores, truth.circuit)

    def _audited(self, scoring: Scoring, found: Chosen, progress: Progress) -> Audit | None:
        n = min(self.settings.audit, len(self.units))
        if not n or found.scores is None:
            return None
        steps = Steps(progress, "audit", n * len(self.found_on))
        return audit(scoring.telling(steps), found.scores, n)
