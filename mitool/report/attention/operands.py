"""Attention to each of two operands, over all pairs of them."""

from mitool.analysis.attention import AttentionStudy
from mitool.report.attention.heads import left_out, name, ranked
from mitool.report.figures import Figure
from mitool.report.heatmaps import heatmap_panels, thinning

MOST_HEADS = 6


def operand_figures(study: AttentionStudy) -> list[Figure]:
    """Nothing where the prompts are not all pairs of two operands."""
    attention = study.observation.operands
    if study.grid is None or attention is None:
        return []
    drawn = sorted(ranked(study)[:MOST_HEADS])
    panels = {
        f"{name(head)} to {operand}": attention[*head, :, 0, side].unflatten(0, study.grid)
        for head in drawn
        for side, operand in enumerate("ab")
    }
    n_a, n_b = study.grid
    plot = heatmap_panels(panels, "b", "a", "attention", x=range(n_b), y=range(n_a))
    plot.update_layout(coloraxis={"cmin": 0, "cmax": 1})
    return [
        Figure(
            "attention_grid",
            "Attention from the answer position to each operand",
            "Each cell is a pair (a, b), its colour the share of the head's attention on operand "
            "a, or on operand b. A head that picks the smaller or the larger operand splits the "
            "square along its diagonal; one that looks at both alike is even."
            f"{left_out(study, drawn)}{thinning(next(iter(panels.values())))}",
            plot,
        )
    ]
