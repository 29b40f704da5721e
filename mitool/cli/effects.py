"""The effects of patching for a terminal: the runs, then the largest effects of each family."""

from rich.markup import escape
from rich.table import Table

from mitool.analysis.patching import PatchResult
from mitool.analysis.patching.effects import largest
from mitool.cli.output import claims_table, readable
from mitool.core.result import number

MOST_ROWS, OF_FAMILY = 24, 3
"""Rows of the table at most, and of a family where there are several."""


def effects_tables(result: PatchResult) -> list[Table | str]:
    """What the runs measure, and where patching has the largest effects."""
    whole = {name: value for name, value in result.claims.items() if "." not in name}
    table = Table("site", "effect", "95 % interval", "metric", box=None, pad_edge=False)
    alone = [name for name in result.effects if name != "all_edges"]
    rows = max(OF_FAMILY, MOST_ROWS // len(alone))
    for name in alone:
        effects = result.effects[name]
        for index in largest(effects.effect, rows):
            ends = effects.interval(index)
            table.add_row(
                escape(effects.sites[index]),
                readable(number(effects.effect[index])),
                "" if ends is None else f"{ends[0]:z.3g} to {ends[1]:z.3g}",
                f"{effects.patched[index].item():z.4g}",
            )
    return [claims_table(whole), table]
