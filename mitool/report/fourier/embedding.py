"""Figures of the embedding and of attention in the Fourier basis."""

from mitool.analysis.fourier.attention import Term
from mitool.analysis.fourier.basis import row_name
from mitool.analysis.fourier.result import FourierStudy
from mitool.report.figures import Figure, add_lines, new_plot
from mitool.report.fourier.bars import add_threshold, component_bars, frequency_bars, named
from mitool.report.fourier.spectra import cosines, operand_axis, singular_values_plot
from mitool.report.heatmaps import heatmap, heatmap_panels, thinning

MOST_DIRECTIONS = 24
"""Singular directions in the heatmap."""

SHOWN_DIRECTIONS = 4
"""Singular directions that are drawn over the operands."""

MOST_HEADS = 12


def embedding_figures(study: FourierStudy) -> list[Figure]:
    """Spectrum by frequency, singular values and directions, and the basis itself."""
    return [
        _shares(study),
        _norms(study),
        _singular_values(study),
        _directions(study),
        *_in_basis(study),
    ]


def _shares(study: FourierStudy) -> Figure:
    spectrum = study.embedding
    keys = spectrum.key_frequencies()
    plot = frequency_bars(spectrum.shares, keys, "share of the variance of W_E over tokens")
    add_threshold(plot, spectrum.threshold, len(spectrum.shares), "twice an even share")
    return Figure(
        "embedding_frequencies",
        "Embedding: share of each frequency",
        "The variance of the operands' embedding over tokens (their mean removed), by the "
        "frequency of its cosine and sine. A model that has grokked keeps a few frequencies; "
        "twice a logit frequency k may be among them, as attention and ReLU make it of k. "
        f"Key frequencies of the embedding (dark): {named(keys)}.",
        plot,
    )


def _norms(study: FourierStudy) -> Figure:
    spectrum = study.embedding
    gini = "" if spectrum.gini is None else f" Their Gini coefficient is {spectrum.gini:z.3f}."
    return Figure(
        "embedding_norms",
        "Embedding: norm of each Fourier component",
        "The norm over d_model of W_E on the cosine and the sine of each frequency, the constant "
        f"left out.{gini}",
        component_bars(spectrum.norms, "norm of the component of W_E"),
    )


def _singular_values(study: FourierStudy) -> Figure:
    return Figure(
        "embedding_singular_values",
        "Embedding: singular values",
        "Singular values of the operands' rows of W_E, its mean included. In a model that has "
        "grokked two for each key frequency, its cosine and its sine, stand above the rest.",
        singular_values_plot(study.embedding.singular_values, "W_E"),
    )


def _directions(study: FourierStudy) -> Figure:
    directions = study.embedding.directions
    plot = new_plot(operand_axis(study.form), "entry of the singular vector")
    shown = range(min(SHOWN_DIRECTIONS, directions.shape[1]))
    lines = {f"direction {i}": directions[:, i].tolist() for i in shown}
    add_lines(plot, lines, range(len(directions)))
    return Figure(
        "embedding_directions",
        "Embedding: principal components over tokens",
        "The first left singular vectors of W_E, one entry a token. In a model that has grokked "
        "they are waves over the operands; two key frequencies of like size may share a direction.",
        plot,
    )


def _in_basis(study: FourierStudy) -> list[Figure]:
    spectrum, basis = study.embedding, study.bases[0]
    rows = [row_name(row) for row in range(len(basis))]
    components = spectrum.in_basis[:, :MOST_DIRECTIONS]
    by_direction = heatmap(
        components,
        "singular direction of W_E",
        "Fourier component",
        "coefficient",
        diverging=True,
        y=rows,
        height=720,
    )
    picture = heatmap(
        basis,
        operand_axis(study.form),
        "Fourier component",
        "value",
        diverging=True,
        y=rows,
        height=620,
    )
    for plot in (by_direction, picture):
        plot.update_yaxes(tickvals=cosines(rows))
    return [
        Figure(
            "embedding_in_basis",
            "Embedding: singular directions in the Fourier basis",
            f"The first {components.shape[1]} left singular vectors of W_E on the orthonormal "
            "Fourier basis of the operands. Each direction of a grokked model is made of the "
            f"cosine and sine of one or two frequencies.{thinning(components)}",
            by_direction,
        ),
        Figure(
            "basis",
            "The Fourier basis",
            "The functions of an operand that everything here is measured in: the constant, then "
            f"a cosine and a sine of each frequency, each of norm 1.{thinning(basis)}",
            picture,
        ),
    ]


def attention_figures(study: FourierStudy) -> list[Figure]:
    """Attention from the answer position to each operand, over all pairs."""
    heads, figures = study.heads[:MOST_HEADS], []
    a, b = (operand_axis(study.form, name) for name in "ab")
    for side in "ab":
        panels = {h.name: h.to_a if side == "a" else h.to_b for h in heads}
        terms = "; ".join(
            f"{h.name}: {_terms(h.terms_a if side == 'a' else h.terms_b)}" for h in heads
        )
        n_left = len(study.heads) - len(heads)
        more = f" {len(heads)} of {len(study.heads)} heads are drawn." if n_left else ""
        figures.append(
            Figure(
                f"attention_to_{side}",
                f"Attention from the answer position to {side}",
                f"The weight on operand {side} for every pair, each head a panel. Largest Fourier "
                f"terms, with their share of the variance over pairs: {terms}.{more}"
                f"{thinning(heads[0].to_a)}",
                heatmap_panels(panels, b, a, "attention"),
            )
        )
    return figures


def _terms(terms: tuple[Term, ...]) -> str:
    return ", ".join(f"{term.name} {term.share:z.0%}" for term in terms[:3]) or "constant"
