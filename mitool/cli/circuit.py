"""``mitool analyze circuit MODEL``: find, test and draw the circuit that carries an answer."""

from pathlib import Path
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
from mitool.cli.settings import takes_settings
from mitool.core.config import build
from mitool.settings import CircuitSettings

if TYPE_CHECKING:
    from mitool.cli.output import Output

PANEL = "Circuit"
FORMATS = "the JSON of EAP-IG or its .pt, or a text of edges such as '{L5H1,L5H5}->MLP*'"

CircuitOption = Annotated[
    Path | None,
    typer.Option(
        help=f"Test this circuit instead of looking for one: {FORMATS}.", rich_help_panel=PANEL
    ),
]
ScoresOption = Annotated[
    Path | None,
    typer.Option(
        help="Choose by the scores of this file, such as an earlier circuit.json, instead of "
        "scoring again.",
        rich_help_panel=PANEL,
    ),
]
TruthOption = Annotated[
    Path | None,
    typer.Option(
        help=f"Compare what is found with this circuit: {FORMATS}.", rich_help_panel=PANEL
    ),
]


@command("analyze circuit")
@takes_settings(CircuitSettings, PANEL)
def circuit(
    output: "Output",
    model: ModelArgument,
    pairs: PairsOption = None,
    task: GeneratedOption = None,
    circuit: CircuitOption = None,
    scores: ScoresOption = None,
    truth: TruthOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    report_format: FormatOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    threads: ThreadsOption = None,
    **settings: Any,
) -> None:
    """Find the circuit that carries an answer, test it, and draw it.

    Scores every edge of the model on pairs of clean and corrupted inputs, keeps the strongest, and
    runs the model with those alone, all other edges carrying what is written on the corrupted
    input. The report has the drawing, the curve of faithfulness over sizes, and the circuit beside
    random ones, without its parts, and under other ablations.
    """
    from mitool.actions import analyses
    from mitool.actions.writing import claimed, write_analysis
    from mitool.analysis.circuits import CircuitFiles
    from mitool.core.device import resolve
    from mitool.models.subject import folder_of, open_model
    from mitool.report import Formats, circuit_report

    chosen, on = build(CircuitSettings, settings), resolve(device, dtype, threads)
    request = request_of(output, out, Formats.parse(report_format), overwrite=overwrite)
    of_file, prompts = task_or_prompts(task)
    folder = out or folder_of(model, "circuit")
    with claimed(folder, request, analyses.REMEDIES["circuit"]):
        subject = open_model(model, of_file)
        result = analyses.circuit(
            subject,
            chosen,
            CircuitFiles(circuit, scores, truth),
            analyses.Inputs(pairs, prompts, seed),
            on,
            output.progress,
            expect=output.require_known,
        )
        report = circuit_report(result, request.again)
        done = write_analysis(request, folder, result, report)
    output.finish_done(done)
