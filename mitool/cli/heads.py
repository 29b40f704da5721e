"""The measures of all heads as tables for a terminal: a line for each head, then the verdicts."""

from rich.table import Table

from mitool.analysis.attention import AttentionResult
from mitool.cli.output import claims_table

HEADINGS = {
    "ov_top1": "OV top-1",
    "copying_score": "copying",
    "qk_rank_correlation": "QK rank",
    "previous_token_score": "previous",
    "duplicate_token_score": "duplicate",
    "induction_score": "induction",
    "entropy": "entropy",
    "direct_logit_attribution": "to logit",
    "attention_to_answer_operand": "to answer",
}


def heads_tables(result: AttentionResult) -> list[Table | str]:
    """What the model as a whole does, what each head measures, and the verdicts."""
    whole = {name: value for name, value in result.claims.items() if "." not in name}
    table = Table("head", *HEADINGS.values(), box=None, pad_edge=False)
    for name in result.head_names:
        values = [result.claims.get(f"{name}.{measure}") for measure in HEADINGS]
        table.add_row(
            name, *(f"{value:.3g}" if isinstance(value, float) else "" for value in values)
        )
    several = len(result.verdicts) > 1  # else the conclusion says it
    return [claims_table(whole), table, *(result.verdicts if several else ())]
