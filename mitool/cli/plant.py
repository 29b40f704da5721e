"""``mitool plant NAME``: toy models whose circuit is known because it was set by hand."""

from typing import TYPE_CHECKING, Annotated

import typer

from mitool.cli.command import command
from mitool.cli.common import OutOption, OverwriteOption, request_of

if TYPE_CHECKING:
    from mitool.cli.output import Output


def _names() -> list[str]:
    from mitool import planted

    return list(planted.NAMES)


NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="Which model; left out: list them.",
        autocompletion=_names,
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
    """
    if name is None or listed:
        _list(output)
    else:
        from mitool.actions.planting import plant as write

        request = request_of(output, out, overwrite=overwrite)
        output.finish_done(write(request, name))


def _list(output: "Output") -> None:
    from rich.markup import escape
    from rich.table import Table

    from mitool import planted
    from mitool.core.result import Result

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
