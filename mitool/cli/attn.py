"""``mitool analyze attn MODEL``: where a model's heads look, and what they write."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    FormatOption,
    Formats,
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
    from mitool.analysis.attention import analyze_attention, claim_names
    from mitool.cli.analysis import Destination, write_analysis
    from mitool.cli.checks import require_known
    from mitool.cli.heads import heads_tables
    from mitool.cli.progress import counted
    from mitool.device import host
    from mitool.report import attention_report
    from mitool.subject import open_model

    chosen, device = build(AttentionSettings, settings), host(threads)
    formats = Formats.parse(report_format)
    subject = open_model(model)
    cfg = subject.bridge.cfg
    require_known(output.checks, claim_names(cfg.n_layers, cfg.n_heads))
    destination = Destination(out or subject.output_folder("attn"), overwrite, formats)
    remedy = "look at fewer --examples, or at a smaller model"
    with destination.claimed(remedy), device.active():
        with counted(output, "prompts") as progress:
            result = analyze_attention(
                subject, chosen, pairs=pairs, texts=prompt or (), seed=seed, progress=progress
            )
        report = attention_report(result, command_line())
        write_analysis(output, destination, result, report, tables=heads_tables(result))
