"""The command line's entry point: what commands there are, and nothing that is slow to load."""

from typing import Annotated

import typer

from mitool.cli import attn, convert, doctor, fourier, inspect, tasks
from mitool.cli.task_group import TaskGroup
from mitool.version import __version__

app = typer.Typer(
    name="mitool",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
train = typer.Typer(
    cls=TaskGroup,
    no_args_is_help=True,
    help="Train a model on a task, from nothing to a report.",
)
app.add_typer(train, name="train")
analyze = typer.Typer(no_args_is_help=True, help="Look inside a model.")
analyze.command("attn")(attn.attn_command())
analyze.command("fourier")(fourier.fourier_command())
app.add_typer(analyze, name="analyze")
app.command("tasks")(tasks.tasks)
app.command("inspect")(inspect.inspect)
app.command("convert", cls=convert.ConvertCommand)(convert.convert_command(None))
app.command("doctor")(doctor.doctor)


@train.callback()
def _train() -> None:
    """Train a model on a task, from nothing to a report."""


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mitool {__version__}")
        raise typer.Exit


@app.callback()
def _mitool(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Mechanistic interpretability of small models: train them, look inside, intervene."""


def main() -> None:
    """Run the command line."""
    app()
