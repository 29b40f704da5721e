"""What a reader must know of positions by which pairs of several lengths are compared."""

from collections.abc import Sequence

from mitool.analysis.interventions.columns import Column

SPANS = {
    "before": "{} is all before the first token that differs",
    "d+": "{} counted from that token",
    "middle": "{} what is left between, more in longer texts",
    "rest": "{} all that follows",
    "end": "{} counted back from the last token",
}
"""What the columns are that pairs of several lengths have, by how their names start."""


def spans_of(columns: Sequence[Column]) -> str:
    """A sentence for a caption; nothing where all pairs have one length."""
    found = []
    for start, meaning in SPANS.items():
        names = [column.name for column in columns if column.name.startswith(start)]
        if names:
            ends = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
            found.append(meaning.format(ends))
    return f" Texts differ in length: {', '.join(found)}." if found else ""
