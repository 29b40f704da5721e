"""``mitool superpose mono --list``: the published table."""

from rich.table import Table

from mitool.cli.output import Output
from mitool.core.config import as_dict, non_defaults
from mitool.core.result import Result
from mitool.settings.monosemanticity import PRESETS, MonosemanticitySettings


def list_presets(output: Output) -> None:
    """Print the published table."""
    defaults = MonosemanticitySettings()
    table = Table("preset", "settings that differ from the defaults", "swept", box=None)
    subject = {}
    for name, preset in PRESETS.items():
        own = non_defaults(preset.settings, defaults)
        swept = {axis: list(values) for axis, values in preset.axes.items()}
        subject[name] = {"settings": as_dict(preset.settings), "sweep": swept}
        table.add_row(
            name,
            " ".join(f"--{axis.replace('_', '-')} {value}" for axis, value in own.items()),
            "; ".join(
                f"{axis} {values[0]} to {values[-1]}, {len(values)} values"
                for axis, values in swept.items()
            ),
        )
    output.finish(Result({"presets": subject}, {}, {"presets": list(PRESETS)}), tables=[table])
