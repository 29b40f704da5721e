"""``mitool plant NAME``: toy models whose circuit is known because it was set by hand."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitool.cli.command import command
from mitool.cli.common import OutOption, OverwriteOption
from mitool.errors import InputError, UsageError

if TYPE_CHECKING:
    from mitool.cli.output import Output
    from mitool.planted.base import Planted
    from mitool.result import Claim


def _names() -> list[str]:
    from mitool import planted

    return list(planted.NAMES)


NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help="Which model; left out: list them.", autocompletion=_names
    ),
]
ListOption = Annotated[bool, typer.Option("--list", help="List the models.")]


@command("plant")
def plant(
    output: "Output",
    name: NameArgument = None,
    listed: ListOption = False,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write a toy model whose circuit is known, with pairs that show it and its true edges.

    The weights are set by hand: the edges of truth.txt carry what the answer depends on, and all
    other heads and neurons are distractors. Every other command works on the run, with pairs.csv
    as its --pairs. Without a name the models are listed.

    Example: mitool plant induction -o runs/planted-induction
    """
    if name is None or listed:
        _list(output)
    else:
        _write(output, name, out, overwrite)


def _list(output: "Output") -> None:
    from rich.markup import escape
    from rich.table import Table

    from mitool import planted
    from mitool.result import Result

    table = Table("model", "circuit", "task", "true edges", "sources", box=None, pad_edge=False)
    subject = {}
    for model in map(planted.plant, planted.NAMES):
        subject[model.name] = {
            "summary": model.summary,
            "task": model.task.name,
            "truth": list(model.truth),
            "sources": list(model.sources),
        }
        cells = (model.name, model.summary, model.task.name, str(len(model.truth)))
        table.add_row(*map(escape, (*cells, "\n".join(model.sources))))
    result = Result({"models": subject}, {}, {"models": list(subject)})
    output.finish(result, tables=[table])


def _write(output: "Output", name: str, out: Path | None, overwrite: bool) -> None:
    from dataclasses import asdict

    from mitool import planted, rundir
    from mitool.result import Result

    model = planted.plant(name)
    folder = out or rundir.RUNS / f"planted-{name}"
    _require_no_others(folder)
    with rundir.claimed(folder, overwrite=overwrite):
        output.note(f"writing {folder}")
        artifacts = model.save(folder)
        metadata = model.metadata
        subject = {"run": str(folder), "task": asdict(metadata.task)}
        config = {"model": metadata.model, "planted": metadata.training["planted"]}
        output.finish(Result(subject, config, _claims(model)), folder=folder, artifacts=artifacts)


def _claims(model: "Planted") -> "dict[str, Claim]":
    from mitool.analysis.interventions.graph import Graph

    cfg = model.model.cfg
    graph = Graph(cfg.n_layers, cfg.n_heads, has_mlp=not cfg.attn_only, is_parallel=False)
    return {
        "circuit": model.summary,
        "n_layers": cfg.n_layers,
        "n_heads": cfg.n_heads,
        "n_edges": sum(1 for _ in graph.edges()),
        "n_true_edges": len(model.truth),
        "truth": list(model.truth),
        "n_pairs": len(model.pairs),
    }


def _require_no_others(folder: Path) -> None:
    """Check that pairs and truth that are there were written here.

    Raises:
        UsageError: they were not.
    """
    from mitool import files, rundir
    from mitool.planted.base import PAIRS, TRUTH

    with contextlib.suppress(InputError):
        if files.read_json(folder / rundir.RESULT).get("command") == "plant":
            return
    for path in (folder / PAIRS, folder / TRUTH):
        if path.exists():
            raise UsageError(
                f"{path}: is there already, and was not written by mitool plant; choose another "
                "--out"
            )
