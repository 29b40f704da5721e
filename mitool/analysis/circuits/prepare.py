"""What a search needs: a model with pairs, files read, and settings that go together."""

from dataclasses import dataclass
from pathlib import Path

from mitool.analysis.circuits.bench import Bench, divided
from mitool.analysis.circuits.files import StoredCircuit, read_circuit
from mitool.analysis.circuits.methods import Method, method_of
from mitool.analysis.circuits.search import CircuitSearch, Stored
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.evidence import together
from mitool.analysis.interventions.material import GivenPairs, Material, material_of
from mitool.analysis.interventions.pair_groups import PairGroups
from mitool.core.config import as_dict
from mitool.core.device import Device, host
from mitool.core.errors import UsageError
from mitool.models.subject import Studied
from mitool.pairs.files import read_pairs
from mitool.pairs.reading import reading_of_pairs
from mitool.settings import SIZES, CircuitSettings


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


def prepare_circuit(
    subject: Studied,
    settings: CircuitSettings | None = None,
    *,
    pairs: GivenPairs = None,
    files: CircuitFiles | None = None,
    seed: int = 0,
    device: Device | None = None,
) -> CircuitSearch:
    """Find what is to be done; arguments and errors are those of ``analyze_circuit``."""
    settings, files = settings or CircuitSettings(), files or CircuitFiles()
    device, method = device or host(), _method(settings, files)
    subject = subject.with_bos(settings.bos)
    given = read_pairs(pairs) if isinstance(pairs, Path) else pairs
    material = material_of(subject, given, settings.metric, settings.n_pairs, device, seed)
    reading = reading_of_pairs(subject, given and given[: settings.n_pairs])
    found_on, tested_on = _benches(material, settings, Budget.of(settings.memory, device), seed)
    columns = material.columns if settings.by_position else ()
    units = Units(found_on.table, settings.level, material.decoder.d_model, columns)
    config = as_dict(settings) | {
        "method": method.name if method else None,
        "metric": material.metric.name,
        "pairs": str(pairs) if isinstance(pairs, Path) else None,
        **{name: None if path is None else str(path) for name, path in vars(files).items()},
        "seed": seed,
        "read": material.name,
        **reading.config,
        "memory_plan": found_on.plan,
        **device.describe(),
    }
    stored, described = _read(files, units), subject.describe()
    return CircuitSearch(
        found_on, tested_on, units, settings, method, stored, described, config, seed, reading
    )


def _benches(
    material: Material, settings: CircuitSettings, budget: Budget, seed: int
) -> tuple[Bench, Bench]:
    """What circuits are found on, and what they are tested on.

    Means that an ablation puts in are of the pairs that are found on alone: what is held out has no
    part in the search.

    Raises:
        UsageError: pairs are to be held out, and all are one group.
    """
    groups = material.pair_groups
    if settings.holdout and groups.n < 2:
        raise UsageError(_undivided(groups))
    found_on, tested_on = divided(groups, settings.holdout, seed)
    benches = (
        Bench(material, chosen, settings.ablation, budget, settings.by_position, found_on)
        for chosen in (found_on, tested_on)
    )
    return next(benches), next(benches)


def _undivided(groups: PairGroups) -> str:
    if len(groups) == 1:
        return "--holdout divides the pairs: expected at least 2, found 1"
    return (
        "--holdout divides the pairs, and keeps those of a group together: expected at least 2 "
        f"groups, found one ({together(groups)}); leave --holdout out, give pairs of other inputs, "
        "or say in a column `group` of the file which belong together"
    )


def _read(files: CircuitFiles, units: Units) -> Stored:
    def read(path: Path | None) -> StoredCircuit | None:
        if path is None:
            return None
        return read_circuit(path, units.table, units.d_model, units.columns)

    stored = Stored(read(files.circuit), read(files.scores), read(files.truth))
    if stored.scores is not None:
        _require_scores(files.scores, stored.scores, units)
    return stored


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
