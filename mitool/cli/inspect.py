"""``mitool inspect PATH``: what a checkpoint or a run holds."""

import contextlib
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from mitool.cli.output import Output
    from mitool.subject import Subject


@command("inspect")
def inspect(
    output: "Output",
    path: Annotated[Path, typer.Argument(help="A checkpoint, or a run directory.")],
) -> None:
    """Show a checkpoint's task, settings, metrics and weights."""
    from mitool.cli.output import claims_table
    from mitool.result import Claim, Result
    from mitool.subject import load

    subject = load(path)
    metadata = subject.metadata
    claims: dict[str, Claim] = {
        "kind": metadata.kind,
        "task": metadata.task.name,
        **metadata.task.parameters,
        "epoch": metadata.epoch,
        "step": metadata.step,
        "seed": metadata.seed,
        "trained_weights": sum(p.numel() for p in subject.model.parameters() if p.requires_grad),
        **_metrics(subject),
    }
    described = {"checkpoint": str(subject.path), "weights": _weights(subject)}
    config = {
        "model": metadata.model,
        "training": metadata.training,
        "split": metadata.split,
        "version": metadata.version,
    }
    tables = [claims_table(claims), _settings_table(config), _weights_table(subject)]
    output.finish(Result(described, config, claims), tables=tables)


def _metrics(subject: "Subject") -> dict[str, float]:
    """What the run measured at the checkpoint's epoch, where its metrics lie beside it."""
    from mitool import rundir

    folder = subject.path.parent
    folder = folder.parent if folder.name == rundir.TRAJECTORY else folder
    names = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
    with contextlib.suppress(InputError):  # the checkpoint is sound without them
        for line in rundir.read_lines(folder / rundir.METRICS):
            if line.get("epoch") == subject.metadata.epoch:
                found = {name: line.get(name) for name in names}
                return {k: v for k, v in found.items() if isinstance(v, float) and isfinite(v)}
    return {}


def _weights(subject: "Subject") -> dict[str, Any]:
    return {
        name: {
            "shape": list(weight.shape),
            "norm": weight.norm().item(),
            "trained": weight.requires_grad,
        }
        for name, weight in subject.model.named_parameters()
    }


def _weights_table(subject: "Subject") -> "Table":
    from rich.table import Table

    table = Table("weight", "shape", "norm", "", box=None, pad_edge=False)
    for name, weight in _weights(subject).items():
        shape = " x ".join(map(str, weight["shape"]))
        table.add_row(name, shape, f"{weight['norm']:.4g}", "" if weight["trained"] else "frozen")
    return table


def _settings_table(config: dict[str, Any]) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table("setting", "value", box=None, pad_edge=False)
    for part, values in config.items():
        for name, value in values.items() if isinstance(values, dict) else [("", values)]:
            table.add_row(escape(f"{part}.{name}".rstrip(".")), escape(str(value)))
    return table
