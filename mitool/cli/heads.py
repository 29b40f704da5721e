"""The measures of all heads for a terminal: a line for each, then the verdicts that matter most."""

from rich.table import Table

from mitool.analysis.attention import AttentionResult
from mitool.cli.output import claims_table

HEADINGS = {
    "ov_top1": "OV top-1",
    "ov_raised": "OV raised",
    "copying_score": "copying",
    "qk_rank_correlation": "QK rank",
    "current_token_score": "current",
    "previous_token_score": "previous",
    "duplicate_token_score": "duplicate",
    "induction_score": "induction",
    "entropy": "entropy",
    "direct_logit_attribution": "to logit",
    "attention_to_answer_operand": "to answer",
}


MOST_VERDICTS = 8
"""Verdicts that are printed; the report has all."""


def heads_tables(result: AttentionResult) -> list[Table | str]:
    """What the model as a whole does, what each head measures, and verdicts."""
    whole = {name: value for name, value in result.claims.items() if "." not in name}
    measured = [
        name
        for name in HEADINGS
        if any(result.claims.get(f"{head}.{name}") is not None for head in result.head_names)
    ]
    table = Table("head", *(HEADINGS[name] for name in measured), box=None, pad_edge=False)
    for head in result.head_names:
        values = (result.claims.get(f"{head}.{name}") for name in measured)
        table.add_row(head, *(f"{v:z.3g}" if isinstance(v, float) else "" for v in values))
    return [claims_table(whole), table, *_verdicts(result)]


def _verdicts(result: AttentionResult) -> list[str]:
    """Those on the heads that change the answer most; the first of these is the conclusion."""
    heads = result.head_names

    def effect(head: str) -> float:
        value = result.claims[f"{head}.direct_logit_attribution"]
        return -abs(value) if isinstance(value, float) else 0.0

    lines = [str(result.claims[f"{head}.verdict"]) for head in sorted(heads, key=effect)]
    shown = [line for line in lines[:MOST_VERDICTS] if line != result.conclusion]
    left_out = len(lines) - MOST_VERDICTS
    return [*shown, *([f"The report has the verdicts on {left_out} more."] if left_out > 0 else [])]
