"""A model together with the task to study it on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from jaxtyping import Int
from torch import Tensor

from mitool import checkpoint, tasks
from mitool.checkpoint import Metadata
from mitool.config import build
from mitool.errors import InputError, MitoolError, about
from mitool.models.transformer import ToyTransformer, TransformerConfig, with_weights
from mitool.tasks import Split, Task

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge


@dataclass(frozen=True)
class Subject:
    """A trained model and what it was trained on.

    Attributes:
        path: the checkpoint file.
        model: the model, with the checkpoint's weights.
        task: the task it was trained on.
        metadata: what the checkpoint says of itself.
    """

    path: Path
    model: ToyTransformer
    task: Task
    metadata: Metadata

    def training_examples(self) -> Int[Tensor, " train"] | None:
        """The indices, among the task's examples, of those that trained the model.

        None where the checkpoint does not say, or the task is a stream.

        Raises:
            InputError: the checkpoint's division is not one of its task's.
        """
        record = self.metadata.split
        if record is None or self.task.n_examples is None:
            return None
        try:
            return build(Split, record).indices(self.task.n_examples)[0]
        except (RuntimeError, MitoolError):  # torch refuses seeds of more than 64 bits
            raise InputError(f"{self.path}: its split {record} is none of this mitool's") from None

    @cached_property
    def bridge(self) -> "TransformerBridge":
        """The model as TransformerLens sees it."""
        from mitool.models.bridge import to_bridge

        return to_bridge(self.model)


def load(path: str | Path) -> Subject:
    """Read a checkpoint, or the last checkpoint of a run directory.

    Raises:
        InputError: it is missing, damaged, of another kind, or contradicts itself.
    """
    path = checkpoint.find(Path(path))
    tensors, metadata = checkpoint.load(path)
    if metadata.kind != "transformer":
        remedy = "; mitool convert reads it" if metadata.kind == checkpoint.BRIDGE else ""
        raise InputError(f"{path}: expected a transformer, found a {metadata.kind}{remedy}")
    task_cls = tasks.get(metadata.task.name, InputError)
    task = build(task_cls, metadata.task.parameters, InputError)
    cfg = build(TransformerConfig, metadata.model, InputError)
    if (cfg.d_vocab, cfg.d_vocab_out, cfg.n_ctx) != (task.d_vocab, task.d_vocab_out, task.n_ctx):
        raise InputError(
            f"{path}: its model (d_vocab {cfg.d_vocab}, d_vocab_out {cfg.d_vocab_out}, n_ctx "
            f"{cfg.n_ctx}) does not fit its task ({task.d_vocab}, {task.d_vocab_out}, {task.n_ctx})"
        )
    with about(path):
        model = with_weights(cfg, tensors)
    return Subject(path, model, task, metadata)
