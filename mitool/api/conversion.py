"""Weights of other libraries."""

from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitool.api.asking import path_if
from mitool.api.keywords import divided, own_keywords, takes
from mitool.api.model import Model
from mitool.api.training import task_of
from mitool.core.config import build
from mitool.settings import ConversionSettings
from mitool.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitool.core.result import Claim
    from mitool.training.conversion import ConversionResult


@takes(ConversionSettings, more="parameters")
def convert(
    path: str | PathLike[str],
    task: str | PathLike[str] | Task | type[Task],
    *,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    **values: Any,
) -> "ConvertedModel":
    """Make a checkpoint of another library's weights, and try it on the task that they learned.

    Reads state dicts of TransformerLens's HookedTransformer and TransformerBridge and of the
    original grokking notebook, as torch, Lightning or safetensors saved them; what wrappers add to
    names, copies of weights and masks are left out with a warning, and ``rename`` says what else
    is called otherwise. The other way, ``Model.bridge`` is a ``TransformerBridge``.

    Args:
        path: the state dict.
        task: what the model was trained on: its name, its file, its class, or one of its instances.
        out: the checkpoint; left out, the name of ``path`` with .safetensors, beside it.
        overwrite: replace the file that is there.
        threads: of the CPU; left out, all cores.
        parameters: the task's own, such as p=113.

    Raises:
        UsageError: the settings do not fit the task, ``index`` is beyond the file's state dicts,
            one of ``rename`` fits no name, or the file cannot be written to.
        InputError: the file is missing, damaged, refused, or of a model that is not the task's
            or that no toy transformer is the equal of.
        RunError: memory ran out.
    """
    from mitool.actions.conversion import file_for
    from mitool.storage import state_dict
    from mitool.training import conversion

    source = Path(path)
    cls, stated = task_of(task)
    of_task, settings = divided(values, [cls, ConversionSettings], own_keywords(convert))
    chosen = build(ConversionSettings, settings)
    state_dict.require_file(source)
    asked = build(cls, stated | of_task)
    target = file_for(source, path_if(out), overwrite, "-mitool")
    result = conversion.convert(source, asked, chosen, threads=threads)
    result.save(target)
    return ConvertedModel(result, target, cls)


class ConvertedModel(Model):
    """A model that was converted.

    Attributes:
        path: its checkpoint.
        result: what its trial on the task came to.
    """

    def __init__(self, result: "ConversionResult", path: Path, task: type[Task]) -> None:
        from mitool.models.subject import load

        super().__init__(str(path), partial(load, path, task), task)
        self.result, self.path = result, path

    @property
    def claims(self) -> "Mapping[str, Claim]":
        """What it is, and its losses and accuracies on the task."""
        return self.result.claims

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before using the claims."""
        return self.result.warnings
