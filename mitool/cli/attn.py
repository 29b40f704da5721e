"""``mitool analyze attn MODEL``: where a model's heads look, and what they write."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    FormatOption,
    ModelArgument,
    OutOption,
    OverwriteOption,
    PairsOption,
    SeedOption,
    TaskOption,
    ThreadsOption,
    request_of,
    task_named,
)
from mitool.cli.settings import takes_settings
from mitool.core.config import build
from mitool.settings import AttentionSettings

if TYPE_CHECKING:
    from mitool.cli.output import Output

PANEL = "Analysis"


@command("analyze attn")
@takes_settings(AttentionSettings, PANEL)
def attn(
    output: "Output",
    model: ModelArgument,
    pairs: PairsOption = None,
    task: TaskOption = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            help="A text to look at; of a toy model, the labels of tokens. Repeatable.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    report_format: FormatOption = None,
    threads: ThreadsOption = None,
    **settings: Any,
) -> None:
    """Show where every head looks and what it writes, with a verdict and its evidence.

    For a trained checkpoint it looks at the examples of its task, for a pretrained model at
    the texts that are given, or else at random tokens, repeated. The report holds patterns,
    full OV and QK circuits, composition, and the scores of the known kinds of heads.
    """
    from mitool.actions import analyses
    from mitool.actions.writing import claimed, write_analysis
    from mitool.cli.heads import heads_tables
    from mitool.core.device import host
    from mitool.models.subject import folder_of, open_model
    from mitool.report import Formats, attention_report

    chosen, device = build(AttentionSettings, settings), host(threads)
    request = request_of(output, out, Formats.parse(report_format), overwrite=overwrite)
    folder = out or folder_of(model, "attn")
    with claimed(folder, request, analyses.REMEDIES["attn"]):
        subject = open_model(model, task_named(task))
        result = analyses.attention(
            subject,
            chosen,
            device,
            output.progress,
            pairs=pairs,
            texts=prompt or (),
            seed=seed,
            expect=output.require_known,
        )
        report = attention_report(result, request.again)
        done = write_analysis(request, folder, result, report)
    output.finish_done(done, tables=heads_tables(result))
