"""``mitool inspect MODEL --pairs FILE``: how a model reads each pair of a file."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitool.core.errors import first_few

if TYPE_CHECKING:
    from rich.table import Table

    from mitool.cli.output import Output
    from mitool.models.subject import Studied
    from mitool.pairs.inspection import PairReading
    from mitool.settings import Bos
    from mitool.tasks import Task


def inspect_pairs(
    output: "Output", name: str, pairs: Path, bos: "Bos", task: "type[Task] | None"
) -> None:
    """Show the tokens of every pair and of its answers, and why a pair cannot be used."""
    from mitool.analysis.interventions.pair_groups import grouped
    from mitool.core.result import Claim, Result
    from mitool.models.subject import open_model
    from mitool.pairs.files import group_names_of, has_only_years, read_pairs
    from mitool.pairs.inspection import read_by
    from mitool.pairs.prompt_pairs import encode_pairs
    from mitool.pairs.reading import reading_of_pairs

    given = read_pairs(pairs)
    subject = open_model(name, task).with_bos(bos)
    found = read_by(subject, given)
    usable = [pair for pair, read in zip(given, found, strict=True) if not read.refusals]
    reading = reading_of_pairs(subject, usable or None)
    encoded = encode_pairs(usable, subject, years=has_only_years(given)) if usable else []
    groups = grouped(encoded, group_names_of(usable)) if usable else None
    claims: dict[str, Claim] = {
        "n_pairs": len(given),
        "n_refused": len(given) - len(usable),
        "n_distinct": groups.n_distinct if groups else 0,
        "n_groups": groups.n if groups else 0,
        "n_lengths": len(encoded),
    }
    warnings = [*subject.notes, *reading.warnings]
    if refused := len(given) - len(usable):
        warnings.append(f"{refused:,} of {len(given):,} pairs cannot be used with this model")
    described = subject.describe() | {"pairs": [_record(subject, read) for read in found]}
    config = {"pairs_file": str(pairs), "bos": bos, **reading.config}
    result = Result(described, config, claims, warnings=tuple(warnings))
    output.finish(result, tables=[_table(subject, found)])


def _record(subject: "Studied", read: "PairReading") -> dict[str, Any]:
    """A pair as JSON: the tokens, and beside them their labels."""
    labels = {f"{side}_labels": _labels(subject, getattr(read, side)) for side in SIDES}
    return asdict(read) | labels


SIDES = ("clean", "corrupted", "right", "wrong")


def _labels(subject: "Studied", tokens: Sequence[int]) -> list[str]:
    return [subject.label(token) for token in tokens]


def _table(subject: "Studied", found: Sequence["PairReading"]) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    from mitool.console.terminal import one_line

    def add(*cells: str) -> None:
        table.add_row(*(escape(one_line(cell)) for cell in cells))

    table = Table("line", "", "tokens", "", "answers", box=None, pad_edge=False)
    for read in found:
        for side, answers in (("clean", read.right), ("corrupted", read.wrong)):
            tokens = _labels(subject, getattr(read, side))
            line = str(read.line) if side == "clean" else ""
            shown = first_few(_labels(subject, answers))
            add(line, side, str(len(tokens)), "|".join(tokens), shown)
        for refusal in read.refusals:
            add("", "refused", "", refusal, "")
    return table
