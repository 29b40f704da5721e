"""``mitool inspect PATH``: what a checkpoint or a run holds."""

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import ModelArgument, PairsOption, TaskOption, task_named
from mitool.cli.inspect_pairs import inspect_pairs
from mitool.core.errors import InputError, UsageError
from mitool.settings import Bos

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table
    from torch import Tensor

    from mitool.cli.output import Output
    from mitool.core.result import Claim

BosOption = Annotated[
    Bos | None,
    typer.Option(
        help="Whether texts start with a token that begins a text; left out: as the model's "
        "tokenizer says.",
        rich_help_panel="Inputs",
    ),
]


@command("inspect")
def inspect(
    output: "Output",
    model: ModelArgument,
    pairs: PairsOption = None,
    bos: BosOption = None,
    task: TaskOption = None,
) -> None:
    """Show a checkpoint's task, settings, metrics and weights; or how a model reads pairs.

    With --pairs it shows the tokens of each pair and of its answers, and why one cannot be used;
    the model may then be a pretrained one.
    """
    if pairs is not None:
        inspect_pairs(output, model, pairs, bos or "auto", task_named(task))
        return
    if task is not None or bos is not None:
        option = "--task" if bos is None else "--bos"
        raise UsageError(f"{option} applies to pairs: give them with --pairs, or leave it out")
    _inspect_checkpoint(output, Path(model))


def _inspect_checkpoint(output: "Output", path: Path) -> None:
    from mitool.cli.output import claims_table
    from mitool.core.result import Result
    from mitool.models import hub_files
    from mitool.models.weights import widened
    from mitool.storage import checkpoint, underway

    if hub_files.is_hugging_face(path):
        raise InputError(hub_files.other_message(path))
    hub_files.require_no_other(path)
    path = checkpoint.find(path)
    tensors, metadata = checkpoint.load(path)
    notes = (*widened(tensors)[1], *underway.doubts(path, metadata))
    read = {
        checkpoint.SUPERPOSITION: _weights_of_families,
        checkpoint.MONOSEMANTICITY: _weights_of_sweep,
    }
    weights = read.get(metadata.kind, _weights)(path)
    claims: dict[str, "Claim"] = {
        "kind": metadata.kind,
        "task": metadata.task.name,
        **metadata.task.parameters,
        **({"task_file": metadata.task.file} if metadata.task.file else {}),
        "epoch": metadata.epoch,
        "step": metadata.step,
        "seed": metadata.seed,
        "trained_weights": sum(math.prod(w["shape"]) for w in weights.values() if w["trained"]),
        **_metrics(path, metadata.epoch),
        **underway.claimed(underway.has_ended(path, metadata)),
    }
    described = {"checkpoint": str(path), "weights": weights}
    config = {
        "model": metadata.model,
        "training": metadata.training,
        "split": metadata.split,
        "version": metadata.version,
    }
    tables = [claims_table(claims), _settings_table(config), _weights_table(weights)]
    output.finish(Result(described, config, claims, warnings=notes), tables=tables)


def _metrics(path: Path, epoch: int) -> dict[str, "Claim"]:
    """What the run measured at the checkpoint's epoch, where its metrics lie beside it."""
    from mitool.storage import atomic, layout

    names = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
    with contextlib.suppress(InputError):  # the checkpoint is sound without them
        for line in atomic.read_lines(layout.run_of(path) / layout.METRICS):
            if line.get("epoch") == epoch:
                found = {name: line.get(name) for name in names}
                return {k: v for k, v in found.items() if isinstance(v, float) and math.isfinite(v)}
    return {}


def _weights(path: Path) -> dict[str, dict[str, Any]]:
    """The weights of a transformer, which must fit its task unless that is of a file."""
    from mitool.models.subject import load_model

    return {
        name: _described(weight, trained=weight.requires_grad)
        for name, weight in load_model(path).named_parameters()
    }


def _weights_of_families(path: Path) -> dict[str, dict[str, Any]]:
    """The weights of models of superposition, and what they were trained for."""
    from mitool.analysis.superposition import load_families
    from mitool.storage.tensor_groups import full_name

    return {
        full_name(family, name): _described(tensor, trained=name in trained)
        for family, models in load_families(path)[0].items()
        for trained in [models.trained()]
        for name, tensor in models.tensors().items()
    }


def _weights_of_sweep(path: Path) -> dict[str, dict[str, Any]]:
    """The weights of models that engineer monosemanticity, and their fixed embeddings."""
    from mitool.analysis.monosemanticity import load_models
    from mitool.storage.tensor_groups import full_name

    return {
        full_name(model_name, name): _described(tensor, trained=name in trained)
        for model_name, found in load_models(path)[0].items()
        for trained in [dict(found.model.named_parameters())]
        for name, tensor in found.model.state_dict().items()
    }


def _described(weight: "Tensor", *, trained: bool) -> dict[str, Any]:
    norm = weight.norm().item()
    norm = norm if math.isfinite(norm) else None  # of a model that has diverged
    return {"shape": list(weight.shape), "norm": norm, "trained": trained}


def _weights_table(weights: dict[str, dict[str, Any]]) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    from mitool.cli.output import readable

    table = Table("weight", "shape", "norm", "", box=None, pad_edge=False)
    for name, weight in weights.items():
        shape = " x ".join(map(str, weight["shape"]))
        norm = readable(weight["norm"])
        table.add_row(escape(name), shape, norm, "" if weight["trained"] else "frozen")
    return table


def _settings_table(config: dict[str, Any]) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    from mitool.console.terminal import one_line

    table = Table("setting", "value", box=None, pad_edge=False)
    for part, values in config.items():
        for name, value in _flat(values):
            shown = f"{part}.{name}".rstrip("."), str(value)
            table.add_row(*(escape(one_line(text)) for text in shown))
    return table


def _flat(values: object) -> "Iterator[tuple[str, object]]":
    """The values of nested settings, by their names with dots between."""
    if not isinstance(values, dict) or not values:
        yield "", values
        return
    for name, value in values.items():
        for below, leaf in _flat(value):
            yield f"{name}.{below}".rstrip("."), leaf
