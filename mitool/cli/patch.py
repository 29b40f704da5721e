"""``mitool patch MODEL``: what depends on what, by intervening."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    DeviceOption,
    DtypeOption,
    FormatOption,
    Formats,
    GeneratedOption,
    ModelArgument,
    OutOption,
    OverwriteOption,
    PairsOption,
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

SiteOption = Annotated[
    list[str] | None,
    typer.Option(
        help="What to sweep: resid_pre, resid_mid, resid_post, attn_out, mlp_out, z, q, k, v, "
        "pattern, and z_by_pos and so on. Repeatable, may have wildcards; left out: all.",
        rich_help_panel=PANEL,
    ),
]
PathOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A->B",
        help="Patch what A writes for B alone to read, such as 'a0.h1->a1.h2<q>' or "
        "'a*.h*->logits'. Repeatable.",
        rich_help_panel=PANEL,
    ),
]
EdgeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A->B",
        help="Patch direct connections, such as 'a9.h1->m9' or '{input,m0}->a5.h*<k>', each "
        "alone and all at once. Repeatable.",
        rich_help_panel=PANEL,
    ),
]


@command("patch")
@takes_settings(PatchSettings, PANEL)
def patch(
    output: "Output",
    model: ModelArgument,
    pairs: PairsOption = None,
    task: GeneratedOption = None,
    site: SiteOption = None,
    path: PathOption = None,
    edge: EdgeOption = None,
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
    pairs of clean and corrupted inputs: a file's, or those of a checkpoint's task. With --path or
    --edge it patches those instead. The report has a heatmap for each kind of site, and intervals
    over the pairs.

    Example: mitool patch runs/modadd-p113-seed0 --by-position
    """
    from mitool.analysis.patching import Wanted, prepare_patching
    from mitool.cli.analysis import Destination, write_analysis
    from mitool.cli.checks import require_known
    from mitool.cli.effects import effects_tables
    from mitool.cli.pairs import pairs_of
    from mitool.cli.progress import counted
    from mitool.device import resolve
    from mitool.report import patching_report
    from mitool.subject import open_model

    chosen, on = build(PatchSettings, settings), resolve(device, dtype, threads)
    formats = Formats.parse(report_format)
    subject = open_model(model)
    given, metric = pairs_of(subject, pairs, task, chosen.metric, chosen.n_pairs, seed)
    destination = Destination(out or subject.output_folder("patch"), overwrite, formats)
    remedy = "give fewer pairs with --n-pairs, or less --memory"
    with destination.claimed(remedy), on.active():
        prepared = prepare_patching(
            subject,
            replace(chosen, metric=metric),
            Wanted(site or (), path or (), edge or ()),
            pairs=given,
            seed=seed,
            device=on,
        )
        require_known(output.checks, prepared.claim_names)
        with counted(output, "patched runs") as progress:
            result = prepared.run(progress)
        report = patching_report(result, command_line())
        write_analysis(output, destination, result, report, tables=effects_tables(result))
