"""The command line's entry point: what commands there are, and nothing that is slow to load."""

import io
import sys
from typing import Annotated

import typer

from mitool.cli.lazy import add_commands
from mitool.cli.parser import HELP, ExperimentGroup, Group, TopGroup
from mitool.cli.task_group import TaskGroup
from mitool.core.version import __version__

COMMANDS = {
    "patch": (
        "mitool.cli.patch:patch",
        "Put activations of one run into another, and measure what that does to the answer.",
    ),
    "sweep": (
        "mitool.cli.sweep:sweep",
        "Run a training at every point of a grid, and compare what comes out.",
    ),
    "plant": (
        "mitool.cli.plant:plant",
        "Write a toy model whose circuit is known, with pairs that show it and its true edges.",
    ),
    "report": (
        "mitool.cli.report:report",
        "Gather all reports of a run on one page, from what was trained to its circuit.",
    ),
    "tasks": (
        "mitool.cli.tasks:tasks",
        "List the tasks that can be trained, with their parameters and sources.",
    ),
    "convert": (
        "mitool.cli.convert:convert",
        "Make a checkpoint of another library's weights, and try it on the task that they learned.",
    ),
    "inspect": (
        "mitool.cli.inspect:inspect",
        "Show a checkpoint's task, settings, metrics and weights; or how a model reads pairs.",
    ),
    "doctor": (
        "mitool.cli.doctor:doctor",
        "Check versions, devices, threads and the browser that draws images.",
    ),
    "analyze fourier": (
        "mitool.cli.fourier:fourier",
        "Find the trig identities behind modular arithmetic, test them, and write the formula.",
    ),
    "analyze attn": (
        "mitool.cli.attn:attn",
        "Show where every head looks and what it writes, with a verdict and its evidence.",
    ),
    "analyze circuit": (
        "mitool.cli.circuit:circuit",
        "Find the circuit that carries an answer, test it, and draw it.",
    ),
    "superpose intro": (
        "mitool.cli.superpose:INTRO",
        "Draw five features in two dimensions: the sparser, the more are superposed.",
    ),
    "superpose norms": (
        "mitool.cli.superpose:NORMS",
        "Draw the norms of features, coloured by superposition, beside W^T W and b.",
    ),
    "superpose geometry": (
        "mitool.cli.superpose:GEOMETRY",
        "Draw dimensions per feature over sparsity, with its plateaus at 1 and 1/2.",
    ),
    "superpose dimensionality": (
        "mitool.cli.superpose:DIMENSIONALITY",
        "Draw the dimensionality of every feature over sparsity, and count its clusters.",
    ),
    "superpose phase": (
        "mitool.cli.superpose:PHASE",
        "Draw what becomes of an extra feature over sparsity and importance.",
    ),
    "superpose correlated": (
        "mitool.cli.superpose:CORRELATED",
        "Draw where correlated and anticorrelated features have their directions.",
    ),
    "superpose basis": (
        "mitool.cli.superpose:BASIS",
        "Draw what neurons stand for, and the computation of |x| in superposition.",
    ),
    "superpose mono": (
        "mitool.cli.mono:mono",
        "Train neurons to stand for one feature each, over a sweep of settings.",
    ),
    "superpose train": (
        "mitool.cli.superpose:TRAIN",
        "Train models of superposition of any size, and draw what all of them have.",
    ),
}
"""Where each command lies, and the first line of its help, which lists it without loading it."""

GROUPS = {
    "train": typer.Typer(
        cls=TaskGroup,
        no_args_is_help=True,
        help="Train a model on a task, from nothing to a report: on one of those below, or on one "
        "of a Python file of your own, as ./mytask.py or ./mytask.py:MyTask.",
    ),
    "analyze": typer.Typer(cls=Group, no_args_is_help=True, help="Look inside a model."),
    "superpose": typer.Typer(
        cls=ExperimentGroup,
        no_args_is_help=True,
        help="Train toy models of superposition, and draw how they store features.",
    ),
}

app = typer.Typer(
    name="mitool",
    cls=TopGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)
add_commands(app, GROUPS, COMMANDS)


def _print_version(asked: bool) -> None:
    if asked:
        from mitool.console.terminal import print_all

        print_all([f"mitool {__version__}"], sys.stdout)
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
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # what the encoding lacks is shown as "?"
    app(prog_name="mitool")
