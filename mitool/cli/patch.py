"""``mitool patch MODEL``: what depends on what, by intervening."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    DeviceOption,
    DtypeOption,
    FormatOption,
    GeneratedOption,
    ModelArgument,
    OutOption,
    OverwriteOption,
    PairsOption,
    SeedOption,
    ThreadsOption,
    request_of,
    task_or_prompts,
)
from mitool.cli.completion import one_of
from mitool.cli.settings import takes_settings
from mitool.core.config import build
from mitool.settings import PatchSettings

if TYPE_CHECKING:
    from mitool.cli.output import Output

PANEL = "Patching"
SITES = (
    *("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"),
    *("z", "q", "k", "v", "pattern"),
)
"""Those of ``analysis.patching``, which is slow to load."""

SiteOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help=f"What to sweep: {', '.join(SITES)}, and z_by_pos and so on. Repeatable, may have "
        "wildcards; left out: all.",
        rich_help_panel=PANEL,
        autocompletion=one_of(SITES),
    ),
]
PathOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A->B",
        help="Patch what A writes for B alone to read, such as 'L0H1->L1H2<q>' or "
        "'L*H*->logits'. Repeatable.",
        rich_help_panel=PANEL,
    ),
]
EdgeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A->B",
        help="Patch direct connections, such as 'L9H1->MLP9' or '{input,MLP0}->L5H*<k>', each "
        "alone and all at once; 'a9.h1->m9', as files of circuits say it, is read too. Repeatable.",
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
    """
    from mitool.actions import analyses
    from mitool.actions.writing import claimed, write_analysis
    from mitool.analysis.patching import Wanted
    from mitool.cli.effects import effects_tables
    from mitool.core.device import resolve
    from mitool.models.subject import folder_of, open_model
    from mitool.report import Formats, patching_report

    chosen, on = build(PatchSettings, settings), resolve(device, dtype, threads)
    request = request_of(output, out, Formats.parse(report_format), overwrite=overwrite)
    of_file, prompts = task_or_prompts(task)
    folder = out or folder_of(model, "patch")
    with claimed(folder, request, analyses.REMEDIES["patch"]):
        subject = open_model(model, of_file)
        result = analyses.patching(
            subject,
            chosen,
            Wanted(site or (), path or (), edge or ()),
            analyses.Inputs(pairs, prompts, seed),
            on,
            output.progress,
            expect=output.require_known,
        )
        report = patching_report(result, request.again)
        done = write_analysis(request, folder, result, report)
    output.finish_done(done, tables=effects_tables(result))
