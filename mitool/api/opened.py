"""A model that is open: what it is, and what it is studied on."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mitool.api.calls import called
from mitool.core.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor
    from transformer_lens.model_bridge import TransformerBridge

    from mitool.models.pretrained import Pretrained
    from mitool.models.subject import Subject
    from mitool.storage.checkpoint import Metadata
    from mitool.tasks import Task


class Opened:
    """A transformer with what it is studied on."""

    def __init__(
        self,
        name: str,
        open_subject: "Callable[[], Subject | Pretrained]",
        task: "type[Task] | None" = None,
    ) -> None:
        """Prepare to look into a model.

        Args:
            name: what ``load`` finds it by.
            open_subject: reads it.
            task: what ``load`` is to be given with it.
        """
        self.name = name
        self._open_subject = open_subject
        self._given_task = task

    @cached_property
    def subject(self) -> "Subject | Pretrained":
        """The model with what it is studied on, as the functions of ``mitool.analysis`` take it."""
        return self._open_subject()

    @property
    def bridge(self) -> "TransformerBridge":
        """The model as TransformerLens sees it."""
        return self.subject.bridge

    @property
    def task(self) -> "Task":
        """What it was trained on.

        Raises:
            InputError: it is a pretrained model, which has no task.
        """
        return self._trained.task

    @property
    def metadata(self) -> "Metadata":
        """What its checkpoint says of itself.

        Raises:
            InputError: it is a pretrained model, which has no checkpoint.
        """
        return self._trained.metadata

    @property
    def checkpoints(self) -> tuple[Path, ...]:
        """The checkpoints of its training, in the order of their epochs; ``load`` opens each.

        Raises:
            InputError: it has none.
        """
        from mitool.storage import checkpoint

        return tuple(checkpoint.trajectory(self._trained.path))

    def encode(self, text: str) -> "Int[Tensor, ' pos']":
        """The tokens of a text, after those that its tokenizer puts before each; of a task, of the
        labels of its tokens, apart by spaces.

        Raises:
            InputError: the tokenizer cannot read the text, or has tokens that the model has not.
            UsageError: a label is no token of the task.
        """
        return self.subject.encode(text)

    def label(self, token: int) -> str:
        """A token as a reader sees it."""
        return self.subject.label(token)

    @property
    def _trained(self) -> "Subject":
        from mitool.models.subject import Subject

        if not isinstance(self.subject, Subject):
            raise InputError(
                f"{self.name}: expected a checkpoint or a run of mitool, found a pretrained model"
            )
        return self.subject

    def _called(self, method: str, /, *arguments: object, **keywords: object) -> str:
        given = [argument for argument in arguments if argument is not None]
        loaded = called("mitool.load", self.name, task=_shown(self._given_task))
        return f"{loaded}.{called(method, *given, **keywords)}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}: {self._summary})"

    def _repr_html_(self) -> str:
        from mitool.report.notebook import summary_html

        return summary_html(self.name, self._summary)

    @property
    def _summary(self) -> str:
        """What it is, in a few words."""
        from mitool.report.page import subject_title

        shape, described = self.subject.shape, self.subject.describe()
        sizes = f"n_layers {shape.n_layers}, n_heads {shape.n_heads}, d_model {shape.d_model}"
        epoch = f", epoch {described['epoch']:,}" if "epoch" in described else ""
        return f"{subject_title(described)}; {sizes}{epoch}"


def _shown(task: "type[Task] | None") -> str | None:
    """A task as a text that ``load`` takes; None of one that it knows by itself."""
    from mitool import tasks

    origin = None if task is None else tasks.origin_of(task)
    return None if origin is None else origin.reference
