"""A model together with the task to study it on."""

import copy
import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import torch
from jaxtyping import Int
from torch import Tensor

from mitool import tasks
from mitool.core.config import build
from mitool.core.device import Device
from mitool.core.errors import InputError, MitoolError, UsageError, about, plain, quoted
from mitool.models import hub_files
from mitool.models.decoder import Decoder
from mitool.models.decoder.toy import shape_of_toy, toy_decoder
from mitool.models.shape import ModelShape
from mitool.models.transformer import ToyTransformer, TransformerConfig, with_weights
from mitool.models.weights import widened
from mitool.settings import Bos
from mitool.storage import atomic, checkpoint, layout, underway
from mitool.storage.checkpoint import Metadata, TaskRecord
from mitool.tasks import Split, Task

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

    from mitool.models.pretrained import Pretrained


Studied: TypeAlias = "Subject | Pretrained"
"""What analyses look into; the second one is loaded where it is asked for, as it takes seconds."""

_PART = r"[\w-][\w.-]{0,95}"
HUB_NAME = re.compile(rf"(?!.*\.(safetensors|pth?)$){_PART}(/{_PART})?", re.ASCII)
"""What a name on the Hugging Face Hub looks like: a model's, or OWNER/MODEL."""

REMEDIES = {
    checkpoint.BRIDGE: "; mitool convert reads it",
    checkpoint.SUPERPOSITION: "; mitool superpose draws it, with --from",
}
"""What reads a checkpoint of another kind."""


@dataclass(frozen=True)
class Subject:
    """A trained model and what it was trained on.

    Attributes:
        path: the checkpoint file.
        model: the model, with the checkpoint's weights.
        task: the task it was trained on.
        metadata: what the checkpoint says of itself.
        digest: of all that the checkpoint holds, where it was read from a file.
        notes: what a user is to know of how it was read, and of its run, each a sentence.
        run_ended: whether the run has ended whose last checkpoint it is; None where it is not one.
    """

    path: Path
    model: ToyTransformer
    task: Task
    metadata: Metadata
    digest: str | None = None
    notes: tuple[str, ...] = ()
    run_ended: bool | None = None

    separator: ClassVar[str] = " "
    """What stands between the labels of two tokens in a text."""

    unk: ClassVar[None] = None
    """There is no token for words that the task does not know."""

    def describe(self) -> dict[str, Any]:
        """What is studied, for a result."""
        return {
            "task": self._task_record,
            "checkpoint": str(self.path),
            "epoch": self.metadata.epoch,
            "seed": self.metadata.seed,
            **({"digest": self.digest} if self.digest else {}),
        }

    @property
    def _task_record(self) -> dict[str, Any]:
        """The task as the checkpoint says it; what was read from a file, as it was read now."""
        return self.metadata.task.described() | tasks.record_of(self.task)

    def output_folder(self, analysis: str) -> Path:
        """Where an analysis of it goes, if nothing else is said: beside the checkpoint."""
        return layout.folder_beside(self.path, analysis)

    def with_bos(self, bos: Bos) -> "Subject":
        """The same, which has no BOS.

        Raises:
            UsageError: one is asked for, or asked to be left off.
        """
        if bos != "auto":
            raise UsageError(
                f"--bos {bos} is about the texts of a pretrained model, and the tokens of task "
                f"{self.task.name} are read as they are: leave it out"
            )
        return self

    def encode(self, text: str) -> Int[Tensor, " pos"]:
        """Tokens from their labels, apart by spaces.

        Raises:
            UsageError: one is no token of the task.
        """
        known, labels = self._tokens, text.split()
        if unknown := [label for label in labels if label not in known]:
            shown = " ".join((*self.task.vocabulary[:2], "..", *self.task.vocabulary[-2:]))
            raise UsageError(
                f"task {self.task.name}: expected its tokens, apart by spaces ({shown}), found "
                f"{quoted(unknown[0])}"
            )
        return torch.tensor([known[label] for label in labels], dtype=torch.int64)

    @cached_property
    def _tokens(self) -> dict[str, int]:
        """By their labels: made once, as a file may have a hundred thousand texts."""
        return {label: token for token, label in enumerate(self.task.vocabulary)}

    def label(self, token: int) -> str:
        """A token as a reader sees it."""
        return self.task.vocabulary[token]

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
        except MitoolError:
            shown = plain(str(record))
            raise InputError(f"{self.path}: its split {shown} is none of this mitool's") from None

    @property
    def shape(self) -> ModelShape:
        return shape_of_toy(self.model)

    def decoder(self, device: Device | None = None) -> Decoder:
        """The model taken apart, on a device and in its number format; left out, as it was read."""
        if device is None:
            return toy_decoder(self.model)
        model, target = self.model, (device.torch_device, device.torch_dtype)
        if any((weight.device, weight.dtype) != target for weight in model.parameters()):
            model = copy.deepcopy(model).to(*target)  # the subject's own stays as it was read
        return toy_decoder(model)

    @cached_property
    def bridge(self) -> "TransformerBridge":
        """The model as TransformerLens sees it."""
        from mitool.models.bridge import to_bridge

        return to_bridge(self.model)


def load(path: str | Path, task: type[Task] | None = None) -> Subject:
    """Read a checkpoint, or the last checkpoint of a run directory.

    Weights in half precision are read in float32.

    Args:
        task: what it was trained on, where that is not installed: code is not run because a
            checkpoint names it.

    Raises:
        InputError: it is missing, damaged, of another kind or task, contradicts itself, or was
            trained on a task that is not installed and not given.
    """
    if hub_files.is_hugging_face(Path(path)):
        raise InputError(hub_files.other_message(Path(path)))
    path = checkpoint.find(Path(path))
    tensors, metadata = checkpoint.load(path)
    tensors, notes = widened(tensors)
    if metadata.kind != checkpoint.TRANSFORMER:
        remedy = REMEDIES.get(metadata.kind, "")
        raise InputError(f"{path}: expected a transformer, found a {metadata.kind}{remedy}")
    task_cls, said = _task_of(path, metadata.task, task)
    asked = build(task_cls, metadata.task.parameters, InputError)
    cfg = build(TransformerConfig, metadata.model, InputError)
    sizes = asked.d_vocab, asked.d_vocab_out, asked.n_ctx
    if (cfg.d_vocab, cfg.d_vocab_out, cfg.n_ctx) != sizes:
        raise InputError(
            f"{path}: its model (d_vocab {cfg.d_vocab}, d_vocab_out {cfg.d_vocab_out}, n_ctx "
            f"{cfg.n_ctx}) does not fit its task ({', '.join(map(str, sizes))})"
        )
    with about(path):
        model = with_weights(cfg, tensors)
    notes = (*notes, *said, *underway.doubts(path, metadata))
    digest, ended = checkpoint.record_of(path)["digest"], underway.has_ended(path, metadata)
    return Subject(path, model, asked, metadata, digest, notes, ended)


def load_model(path: str | Path) -> ToyTransformer:
    """The model of a checkpoint, held against its task unless that is of a file.

    Raises:
        InputError: see ``load``.
    """
    tensors, metadata = checkpoint.load(Path(path))
    if metadata.task.file is None or metadata.task.name in tasks.names():
        return load(path).model
    cfg = build(TransformerConfig, metadata.model, InputError)
    with about(Path(path)):
        return with_weights(cfg, widened(tensors)[0])


def _task_of(
    path: Path, record: TaskRecord, given: type[Task] | None
) -> tuple[type[Task], tuple[str, ...]]:
    """The class of the task that a checkpoint was trained on, and what a user is to know of it.

    Raises:
        InputError: it is not installed and not given, or what is given is another.
    """
    if given is None and record.name in tasks.names():
        return tasks.installed(record.name, InputError), ()
    if given is None and record.file is not None:
        raise InputError(
            f"{path}: was trained on the task {quoted(record.name)} of a file of code, which is "
            f"not run unless it is named: give it with --task {shlex.quote(plain(record.file))}"
        )
    if given is None:
        raise InputError(
            f"{path}: no task named {quoted(record.name)} is installed, which it was trained on; "
            "install it, or give its file with --task"
        )
    if given.name != record.name:
        raise InputError(
            f"{path}: was trained on the task {quoted(record.name)}, and --task is "
            f"{quoted(given.name)}: give its own, or leave --task out if it is installed"
        )
    now = tasks.origin_of(given)
    if record.file_sha256 is None or now is None or now.sha256 == record.file_sha256:
        return given, ()
    return given, (
        f"{plain(now.reference)} has changed since the model was trained on it (its SHA-256 was "
        f"{record.file_sha256[:12]}.., and is {now.sha256[:12]}..): what is studied is the task as "
        "it is now",
    )


def open_model(name: str, task: type[Task] | None = None) -> Studied:
    """A trained checkpoint or run, or a pretrained model: a folder, or a name on the Hub.

    Args:
        task: what a checkpoint was trained on, where that is not installed.

    Raises:
        InputError: there is none, or it cannot be used.
        UsageError: a task is given of a pretrained model.
    """
    if not _is_pretrained(name):
        return load(_checkpoint_of(name), task)
    if task is not None:
        raise UsageError(
            f"--task {task.name}: {quoted(name)} is a pretrained model, which has no task that it "
            "was trained on; leave it out"
        )
    from mitool.models.pretrained import load_pretrained

    return load_pretrained(name)


def folder_of(name: str, analysis: str) -> Path:
    """Where an analysis of a model goes, as ``output_folder`` says of one that is loaded.

    Raises:
        InputError: there is no such model.
    """
    if _is_pretrained(name):
        return layout.folder_of_pretrained(name, analysis)
    return layout.folder_beside(_checkpoint_of(name), analysis)


def _checkpoint_of(name: str) -> Path:
    if not atomic.is_unicode(Path(name)):
        raise InputError(f"{name}: found a name that is not valid UTF-8; rename it")
    hub_files.require_no_other(Path(name))
    return checkpoint.find(Path(name))


def _is_pretrained(name: str) -> bool:
    path = Path(name)
    return hub_files.is_hugging_face(path) or bool(HUB_NAME.fullmatch(name) and not path.exists())
