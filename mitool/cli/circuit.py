"""``mitool analyze circuit MODEL``: find, test and draw the circuit that carries an answer."""

from dataclasses import replace
from pathlib import Path
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
from mitool.settings import CircuitSettings

if TYPE_CHECKING:
    from mitool.cli.output import Output

PANEL = "Circuit"
FORMATS = "the JSON of EAP-IG or its .pt, or a text of edges such as '{a5.h1,a5.h5}->m*'"

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

    Example: mitool analyze circuit runs/min-seed0 --holdout 0.5
    """
    from mitool.analysis.circuits import CircuitFiles, prepare_circuit
    from mitool.cli.analysis import Destination, write_analysis
    from mitool.cli.checks import require_known
    from mitool.cli.pairs import pairs_of
    from mitool.cli.progress import phases
    from mitool.device import resolve
    from mitool.report import circuit_report
    from mitool.subject import open_model

    chosen, on = build(CircuitSettings, settings), resolve(device, dtype, threads)
    formats = Formats.parse(report_format)
    subject = open_model(model)
    given, metric = pairs_of(subject, pairs, task, chosen.metric, chosen.n_pairs, seed)
    destination = Destination(out or subject.output_folder("circuit"), overwrite, formats)
    remedy = "give fewer pairs with --n-pairs, or less --memory"
    with destination.claimed(remedy), on.active():
        prepared = prepare_circuit(
            subject,
            replace(chosen, metric=metric),
            pairs=given,
            files=CircuitFiles(circuit, scores, truth),
            seed=seed,
            device=on,
        )
        require_known(output.checks, prepared.claim_names)
        output.note(prepared.plan)
        with phases(output) as progress:
            result = prepared.run(progress)
        report = circuit_report(result, command_line())
        write_analysis(output, destination, result, report)
