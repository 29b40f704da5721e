"""``mitool patch MODEL``: what depends on what, by intervening."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    DeviceOption,
    DtypeOption,
    FormatOption,
    Formats,
    OutOption,
    OverwriteOption,
    SeedOption,
    ThreadsOption,
    command_line,
)
from mitool.cli.settings import takes_settings
from mitool.config import build
from mitool.settings import PatchSettings

if TYPE_CHECKING:
    from mitool.cli.output import Output

PANEL = "Patching"


@command("patch")
@takes_settings(PatchSettings, PANEL)
def patch(
    output: "Output",
    model: Annotated[
        str,
        typer.Argument(
            help="A checkpoint, a run directory, or a Hugging Face model: its folder or name."
        ),
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="CSV file of clean,corrupted and the answers, correct,incorrect as text, "
            "correct_idx,incorrect_idx as tokens, or label for --metric greater-than; or the JSON "
            "of AutoCircuit. Left out: pairs of the model's task.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(
            help="What to sweep: resid_pre, resid_mid, resid_post, attn_out, mlp_out, z, q, k, v, "
            "pattern, and z_by_pos and so on. Repeatable, may have wildcards; left out: all.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A->B",
            help="Patch what A writes for B alone to read, such as 'a0.h1->a1.h2<q>' or "
            "'a*.h*->logits'. Repeatable.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    edge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A->B",
            help="Patch direct connections, such as 'a9.h1->m9' or '{input,m0}->a5.h*<k>', each "
            "alone and all at once. Repeatable.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    report_format: FormatOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    threads: ThreadsOption = None,
    **settings: Any,
) -> None:
    """Put activations of one run into another, and measure what that does to the answer.

    Sweeps every site of the model, layer by layer and position by position or head by head, on
    pairs of clean and corrupted inputs; with --path or --edge it patches those instead. The
    report has a heatmap for each kind of site, and intervals over the pairs.
    """
    from mitool import rundir
    from mitool.analysis.patching import prepare_patching
    from mitool.cli.analysis import Destination, write_analysis
    from mitool.cli.checks import require_known
    from mitool.cli.effects import effects_tables
    from mitool.cli.progress import counted
    from mitool.device import out_of_memory_is_an_error, resolve
    from mitool.report import patching_report
    from mitool.subject import open_model

    chosen, on = build(PatchSettings, settings), resolve(device, dtype, threads)
    formats = Formats.parse(report_format)
    subject = open_model(model)
    folder = out or subject.output_folder("patch")
    with (
        rundir.claimed(folder, overwrite=overwrite, clear=False),
        out_of_memory_is_an_error("give fewer pairs with --n-pairs, or less --memory"),
        on.active(),
    ):
        prepared = prepare_patching(
            subject,
            chosen,
            pairs=pairs,
            sites=site or (),
            paths=path or (),
            edges=edge or (),
            seed=seed,
            device=on,
        )
        require_known(output.checks, prepared.claim_names)
        with counted(output, "patched runs") as progress:
            result = prepared.run(progress)
        destination = Destination(folder, overwrite, formats)
        report = patching_report(result, command_line())
        write_analysis(output, destination, result, report, tables=effects_tables(result))
