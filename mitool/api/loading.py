"""Models from files, folders, or the Hugging Face Hub."""

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mitool.api.calls import called
from mitool.api.finding import Analysis
from mitool.api.keywords import takes
from mitool.api.model import Model
from mitool.core.errors import InputError, UsageError
from mitool.tasks import Task

if TYPE_CHECKING:
    from mitool.analysis.monosemanticity import MonosemanticityResult
    from mitool.analysis.superposition import SuperpositionResult


@takes()
def load(
    path: str | PathLike[str], *, task: str | PathLike[str] | type[Task] | None = None
) -> Model:
    """Open a checkpoint, a run, or a Hugging Face model: its folder or its name.

    Of toy models of superposition, or of monosemanticity, it gives ``ToyModels``.

    Args:
        task: what a checkpoint was trained on, where that is not installed: a class, or a file
            such as ``mytask.py:MyTask``, which is run.

    Raises:
        InputError: there is none, or it is damaged or cannot be used.
        UsageError: a task is given of a model that has none.
    """
    from mitool.api.training import task_of
    from mitool.models.subject import open_model
    from mitool.storage import checkpoint

    name = fspath(path)
    kind = checkpoint.kind_of(Path(name))
    cls = None if task is None else task_of(task)[0]
    if kind in (checkpoint.SUPERPOSITION, checkpoint.MONOSEMANTICITY):
        if cls is not None:
            raise UsageError(f"task: {name} holds toy models, which have none; leave it out")
        return ToyModels(name)
    subject = open_model(name, cls)
    return Model(name, lambda: subject, cls)


class ToyModels(Model):
    """Toy models of superposition, or of monosemanticity; they are no transformers, and ``study``
    is what they can be asked.
    """

    def __init__(self, name: str) -> None:
        from mitool.storage import checkpoint

        super().__init__(name, self._refuse)
        self._path = checkpoint.find(Path(name))
        self._record = checkpoint.load(self._path)[1]

    @takes()
    def study(
        self, experiment: str | None = None
    ) -> "Analysis[SuperpositionResult] | Analysis[MonosemanticityResult]":
        """Measure and draw the models as they are.

        Args:
            experiment: of ``superpose``; left out, the one that trained them.

        Raises:
            InputError: the models are not such as the experiment studies.
            UsageError: there is no such experiment.
        """
        import time

        from mitool.analysis.monosemanticity import restudy_monosemanticity
        from mitool.analysis.superposition import restudy
        from mitool.report import monosemanticity_report, superposition_report
        from mitool.storage import checkpoint, layout

        started = time.monotonic()
        again = f"{called('mitool.load', self.name)}.{called('study', experiment=experiment)}"
        if self._record.kind == checkpoint.MONOSEMANTICITY:
            if experiment is not None:
                raise UsageError(
                    f"experiment: models of monosemanticity have none, found {experiment!r}; "
                    "leave it out"
                )
            folder = layout.folder_beside(self._path, "mono")
            mono = restudy_monosemanticity(self._path)
            draw, command = monosemanticity_report, "superpose mono"
            return Analysis(mono, folder, again, draw, command, started)
        name = experiment or str(self._record.task.parameters.get("experiment"))
        folder = layout.folder_beside(self._path, name)
        found = restudy(self._path, name)
        command = f"superpose {name}"
        return Analysis(found, folder, again, superposition_report, command, started)

    def _refuse(self) -> NoReturn:
        raise InputError(
            f"{self.name}: expected a transformer, found a {self._record.kind}; its `study()` "
            "measures and draws it"
        )

    @property
    def _summary(self) -> str:
        own = ", ".join(str(value) for value in self._record.task.parameters.values() if value)
        return f"{self._record.kind} ({own}), step {self._record.step:,}"
