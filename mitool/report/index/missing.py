"""What could still be looked at, and the command for it."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from mitool import tasks
from mitool.analysis.fourier.form import cyclic_form
from mitool.core.config import build
from mitool.core.errors import MitoolError
from mitool.planted.base import PAIRS, TRUTH
from mitool.storage import layout
from mitool.storage.records import Record

FOURIER, CIRCUIT = "analyze fourier", "analyze circuit"


def command_for(command: str, records: Sequence[Record]) -> str | None:
    """The command line that makes a first result of ``command``; None where nothing is there to
    study so.
    """
    runs = [record for record in records if _is_transformer(record)]
    for run in runs:
        if command != FOURIER or _is_cyclic(run):
            return _typed(command, str(run.folder), *_files(command, run.folder), *_task(run))
    models = (record.subject.get("model") for record in records)
    model = next((name for name in models if isinstance(name, str)), None)
    if runs or model is None or command == FOURIER:
        return None
    return _typed(command, model, "--pairs", _pairs_of(records))


def _is_transformer(record: Record) -> bool:
    """Whether it is a run whose checkpoint the analyses take."""
    is_run = record.command == "plant" or record.command.startswith("train ")
    return is_run and (record.folder / layout.CHECKPOINT).is_file()


def _is_cyclic(run: Record) -> bool:
    """Whether the run's task is modular arithmetic that has a Fourier basis."""
    task = run.subject.get("task")
    parameters = task.get("parameters") if isinstance(task, Mapping) else None
    if not (isinstance(task, Mapping) and isinstance(parameters, Mapping)):
        return False
    try:
        cyclic_form(build(tasks.installed(str(task.get("name"))), parameters))
    except MitoolError:
        return False
    return True


def _files(command: str, run: Path) -> list[str]:
    """The pairs and the true circuit that a planted model comes with."""
    if command == FOURIER or not (run / PAIRS).is_file():
        return []
    truth = ["--truth", str(run / TRUTH)] if command == CIRCUIT else []
    return ["--pairs", str(run / PAIRS), *truth]


def _task(run: Record) -> list[str]:
    """The file of the run's task, where it is of one."""
    task = run.subject.get("task")
    file = task.get("file") if isinstance(task, Mapping) else None
    return ["--task", file] if isinstance(file, str) else []


def _pairs_of(records: Sequence[Record]) -> str:
    known = (record.config.get("pairs") for record in records)
    return next((path for path in known if isinstance(path, str)), "FILE")


def _typed(command: str, *arguments: str) -> str:
    return shlex.join(["mitool", *command.split(), *arguments])
