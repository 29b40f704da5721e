"""Weights of other libraries to checkpoints of mitool, and checkpoints to bridges."""

import copy
import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mitool.core.config import as_dict
from mitool.core.device import exact, generator, to_float64
from mitool.core.errors import InputError, UsageError, about
from mitool.core.memory import out_of_memory_is_an_error
from mitool.core.numerals import share
from mitool.core.result import Claim, Result
from mitool.core.version import __version__
from mitool.models.foreign import Foreign, toy_transformer
from mitool.models.subject import Subject
from mitool.models.transformer import ToyTransformer
from mitool.settings import ConversionSettings, TrainingSettings
from mitool.storage import checkpoint, state_dict
from mitool.storage.checkpoint import Metadata, TaskRecord
from mitool.storage.state_dict import StateFile
from mitool.tasks import Examples, Split, Task, record_of
from mitool.training.data import evaluation_batches, held_out_sample
from mitool.training.metrics import Score, score

TOLERANCE = 0.1
"""How far, relatively, a measured loss may be from a recorded one without a warning."""

SHOWN = ("n_layers", "n_heads", "d_model", "d_head")
SHOWN_OF_MLPS = ("d_mlp", "act_fn")
SHOWN_KINDS = ("attn_only", "normalization_type", "biases", "positional", "attention_dir")
"""The settings of a model that a conversion claims."""

NO_NUMBERS = "expected finite logits on the task, found NaN or infinite ones"

POOR = 0.5
"""Accuracy below which the task may be the wrong one."""

SAMPLE = 256
"""Examples on which a checkpoint is compared with the bridge made from it."""

REMEDY = "convert a smaller model, or give a smaller --eval-size"


@dataclass(frozen=True)
class ConversionResult(Result):
    """A converted model.

    Attributes:
        model: the toy transformer.
        tensors: what the file to be written holds.
        metadata: what it says of itself.
    """

    model: ToyTransformer
    tensors: Mapping[str, Tensor]
    metadata: Metadata

    def save(self, path: Path) -> None:
        """Write the file.

        Raises:
            RunError: it cannot be written.
        """
        checkpoint.save(path, self.tensors, self.metadata)


def convert(
    path: str | Path,
    task: Task,
    settings: ConversionSettings | None = None,
    *,
    threads: int | None = None,
) -> ConversionResult:
    """Read the state dict of a model that was trained on ``task``, and try it on the task.

    Raises:
        UsageError: the settings do not fit the task, ``index`` is beyond the file's state dicts,
            or one of ``rename`` fits no name.
        InputError: the file is missing, damaged, refused, or of a model that is not the task's
            or that no toy transformer is the equal of.
        RunError: memory ran out.
    """
    path, settings = Path(path), settings or ConversionSettings()
    split = _split(task, settings)
    device = exact(threads)
    with device.active(), out_of_memory_is_an_error(REMEDY):
        file = state_dict.read(path, settings.index)
        with about(path):
            foreign = toy_transformer(file, task, settings, settings.rename or ())
        parts = _parts(task, split, settings)
        scores = {
            part: score(foreign.model, task, evaluation_batches(task, examples, device))
            for part, examples in parts.items()
        }
    if not all(math.isfinite(found.loss) for found in scores.values()):
        raise InputError(f"{path}: {NO_NUMBERS}")
    claims = _claims(foreign, scores, task)
    warnings = [*foreign.warnings, *_differences(file, claims), *_doubts(scores["test"])]
    if split is None:
        warnings.append(
            f"the claims on training examples are undefined: task {task.name} is a stream of "
            f"fresh examples; those on test are of {len(parts['test'])} drawn with seed "
            f"{settings.seed}"
        )
    metadata = _metadata(path, foreign, task, split, settings)
    return ConversionResult(
        {"file": str(path), "task": metadata.task.described()},
        {"model": metadata.model, "conversion": as_dict(settings), "split": metadata.split},
        claims,
        warnings=tuple(warnings),
        model=foreign.model,
        tensors=foreign.model.state_dict(),
        metadata=metadata,
    )


def convert_to_bridge(subject: Subject, *, threads: int | None = None) -> ConversionResult:
    """The state dict of the ``TransformerBridge`` that computes what a checkpoint computes.

    A bridge is rebuilt from what the file will hold, by transformer-lens's own means, and both
    models are tried on the same examples of the task, in float64.

    Raises:
        InputError: the checkpoint's logits are no finite numbers.
        RunError: memory ran out.
    """
    from mitool.models.bridge import bridge_fields, rebuilt

    model, task, device = subject.model, subject.task, exact(threads)
    cfg, fields = model.cfg, bridge_fields(model.cfg)
    with device.active(), out_of_memory_is_an_error(REMEDY), torch.no_grad():
        tensors = subject.bridge.state_dict()
        exactly = {name: to_float64(weight) for name, weight in tensors.items()}
        tokens = task.sample(SAMPLE, generator(0, "bridge")).tokens
        found = copy.deepcopy(model).double().logits(tokens)
        difference = (rebuilt(fields, exactly)(tokens) - found).abs().max().item()
    if not math.isfinite(difference):
        raise InputError(f"{subject.path}: {NO_NUMBERS}")
    claims: dict[str, Claim] = {"layout": "TransformerBridge"}
    claims |= {name: getattr(cfg, name) for name in SHOWN}
    claims |= {"max_logit_difference": difference, "examples_compared": len(tokens)}
    metadata = replace(
        subject.metadata,
        kind=checkpoint.BRIDGE,
        model={"bridge": fields, "transformer": as_dict(cfg)},
    )
    return ConversionResult(
        {"file": str(subject.path), "task": metadata.task.described()},
        {"model": metadata.model, "split": metadata.split},
        claims,
        warnings=subject.notes,
        model=model,
        tensors=tensors,
        metadata=metadata,
    )


def _split(task: Task, settings: ConversionSettings) -> Split | None:
    """The division that is asked for; what does not go with the task is refused."""
    split = task.split(settings.split_seed or 0)
    excess = ("split", "split_seed") if split is None else ("eval_size",)
    why = "is a stream of fresh examples, which are not divided"
    why = why if split is None else "lists its examples, and the model is tried on all of them"
    for name in excess:
        if getattr(settings, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option}: task {task.name} {why}; leave {option} out")
    if split is None or settings.split is None:
        return split
    return replace(split, method=settings.split)


def _parts(task: Task, split: Split | None, settings: ConversionSettings) -> dict[str, Examples]:
    """What the model is tried on."""
    if split is None:
        size = settings.eval_size or TrainingSettings().eval_size
        return {"test": held_out_sample(task, size, settings.seed)}
    examples = task.examples()
    train, test = split.indices(len(examples))
    return {"train": examples[train], "test": examples[test]}


def _claims(foreign: Foreign, scores: Mapping[str, Score], task: Task) -> dict[str, Claim]:
    """What the model is, and what it does on the task."""
    cfg = foreign.model.cfg
    shown = (*SHOWN, *(() if cfg.attn_only else SHOWN_OF_MLPS), *SHOWN_KINDS)
    several_answers = len(task.answer_positions) > 1
    measured = ("loss", "accuracy", *(("sequence_accuracy",) if several_answers else ()))
    return {
        "layout": foreign.layout,
        **{name: getattr(cfg, name) for name in shown},
        **{
            f"{part}_{name}": getattr(scores[part], name) if part in scores else None
            for name in measured
            for part in ("train", "test")
        },
    }


def _metadata(
    path: Path, foreign: Foreign, task: Task, split: Split | None, settings: ConversionSettings
) -> Metadata:
    """What the checkpoint will say of itself: no training of mitool's, but where it came from."""
    origin: dict[str, Any] = {"file": path.name, "sha256": _sha256(path), "layout": foreign.layout}
    read_by = {"index": settings.index, "rename": settings.rename}
    origin |= {name: value for name, value in read_by.items() if value is not None}
    return Metadata(
        kind=checkpoint.TRANSFORMER,
        model=as_dict(foreign.model.cfg),
        task=TaskRecord(**record_of(task)),
        training={"converted": origin},
        split=None if split is None else asdict(split),
        seed=settings.seed,
        step=0,
        epoch=0,
        version=__version__,
    )


def _doubts(test: Score) -> list[str]:
    """Whether the model does the task at all."""
    if test.accuracy >= POOR:
        return []
    return [
        f"the model is right on {share(test.accuracy, 1)} of the test answers: another task, or "
        "other options of it, may be what it was trained on"
    ]


def _differences(file: StateFile, claims: Mapping[str, Any]) -> list[str]:
    """Where a loss is another than the file itself records."""
    return [
        f"{name} is {claims[name]:z.4g}, but the last in the file's own record is {recorded:z.4g}: "
        "another --split, --split-seed, --frac-train or option of the task may be the one that it "
        "was trained with"
        for name, recorded in file.losses.items()
        if claims[name] is not None and not abs(claims[name] - recorded) <= TOLERANCE * recorded
    ]


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as failure:
        raise InputError(f"{path}: cannot be read: {failure.strerror}") from None
