"""Figures of the logits: their frequencies, the identity, the causal tests, the formula."""

from mitool.analysis.fourier.identity import PRODUCTS, READ_AS, SIGNS
from mitool.analysis.fourier.interventions import Outcome
from mitool.analysis.fourier.result import FourierStudy
from mitool.core.numerals import share
from mitool.report.figures import (
    BLACK,
    BLUE,
    GREEN,
    VERMILLION,
    Figure,
    add_line,
    label,
    new_plot,
)
from mitool.report.fourier.bars import frequency_bars, named, product_bars
from mitool.report.fourier.spectra import grid_spectrum_plot
from mitool.report.heatmaps import thinning

READ_AS_NAMES = [("cos c", "sin c")[function] for function in READ_AS]


def logit_figures(study: FourierStudy) -> list[Figure]:
    """The logits from the formula to the test of its parts."""
    figures = [_shares(study), _by_difference(study), _grid(study)]
    if study.key_frequencies:
        figures += [*_identity(study), _tests(study)]
    return figures


def _shares(study: FourierStudy) -> Figure:
    keys, fit = study.key_frequencies, study.fit
    plot = frequency_bars(
        fit.shares, keys, f"share of logit variance in cos kw({study.form.difference})"
    )
    return Figure(
        "logit_frequencies",
        "Logits: share of each frequency",
        "The variance of the logits, centred over the outputs, that the cosine of each frequency "
        f"explains over all pairs. Key frequencies (dark): {named(keys)}; together they explain "
        f"{fit.share(keys):z.1%}. A bias of each output, the same for all pairs, explains "
        f"{fit.bias_share:z.1%}.",
        plot,
    )


def _by_difference(study: FourierStudy) -> Figure:
    values, n = study.fit.by_difference, study.form.order
    plot = new_plot(
        f"{study.form.difference} (mod {study.form.modulus})", "logit (mean over pairs)"
    )
    middle = n // 2
    phases = [(t + n - middle) % n for t in range(n)]
    x = [t - middle for t in range(n)]
    add_line(plot, "model", x, values[phases].tolist(), color=BLUE)
    if study.formula is not None:
        formula = study.formula.by_difference[phases].tolist()
        add_line(plot, "formula", x, formula, color=VERMILLION, dash="dash")
    return Figure(
        "logit_by_difference",
        "The logit by the distance from the right answer",
        "Mean over all pairs of the centred logit of the output that lies so far from the right "
        "answer, which is at 0, and the extracted formula: the sum of the key cosines. At 0 all "
        "cosines are 1; the formula is right where they are so nowhere else.",
        plot,
    )


def _grid(study: FourierStudy) -> Figure:
    norms = study.logits.norms
    return Figure(
        "logit_grid",
        "Logits: two-dimensional Fourier transform",
        "The norm over outputs of the logits' coefficient on each product of a function of a and "
        "a function of b; the constant is left out. A grokked model has its weight on the "
        f"products of a key frequency with itself, blocks on the diagonal.{thinning(norms)}",
        grid_spectrum_plot(norms, "norm over outputs"),
    )


def _identity(study: FourierStudy) -> list[Figure]:
    identities = study.identities.values()
    signs = ("-" if sign < 0 else "+" for sign in SIGNS)
    names = [
        f"{sign} {product} · {read}"
        for product, read, sign in zip(PRODUCTS, READ_AS_NAMES, signs, strict=True)
    ]
    amplitudes = {
        "written by the neurons": [i.through_neurons or () for i in identities],
        "in the logits": [i.in_logits for i in identities],
        "in the logits, times the other function": [i.stray for i in identities],
    }
    signed = {
        name: [v * sign for values in of_each for v, sign in zip(values, SIGNS, strict=True)]
        for name, of_each in amplitudes.items()
        if all(of_each)
    }
    plot = product_bars(list(study.identities), names, signed)
    plot.update_xaxes(title_text="product, and the function of c that it is read out as")
    plot.update_yaxes(title_text="amplitude (logits)")
    sums = "; ".join(f"frequency {k}: {i.in_logits_sum:z.1%}" for k, i in study.identities.items())
    read_out = Figure(
        "trig_identity",
        "The trig identity, term by term",
        "cos w(a+b-c) = (cos wa cos wb - sin wa sin wb) cos wc + (sin wa cos wb + cos wa sin wb) "
        "sin wc. Each product's amplitude, with the sign that the identity gives it: as the "
        "neurons write it, and as it stands in the logits. The identity holds where the four "
        "bars of a frequency are alike and nothing stands at the other function of c. Share of "
        f"the products' power in the logits that lies in cos w(a+b) and sin w(a+b): {sums}.",
        plot,
    )
    return [*_products(study), read_out]


def _products(study: FourierStudy) -> list[Figure]:
    """The four products before the read-out; nothing for a model without an MLP."""
    known = {k: i for k, i in study.identities.items() if i.in_neurons is not None}
    if not known:
        return []
    norms = [value for i in known.values() for value in i.in_neurons or ()]
    plot = product_bars(list(known), PRODUCTS, {"in the neurons": norms})
    plot.update_xaxes(title_text="product")
    plot.update_yaxes(title_text="norm over neurons of the amplitude (activation)")
    sums = "; ".join(f"frequency {k}: {i.in_neurons_sum:z.1%}" for k, i in known.items())
    return [
        Figure(
            "trig_products",
            "The four products in the neurons",
            "How much of each product of a's and b's cosine and sine the neurons hold, before "
            "they write to the logits. Neurons need not hold sums alone, half of the power "
            "would be in cos w(a+b) and sin w(a+b) by accident; the read-out picks them. Share "
            f"in them here: {sums}.",
            plot,
        )
    ]


def _tests(study: FourierStudy) -> Figure:
    plot = new_plot("mean cross-entropy (nats)", "")
    names = list(study.outcomes)[::-1]
    known = study.own.loss["train"] is not None
    colors = {"train": BLUE, "test": VERMILLION} if known else {"all": GREEN}
    for part, color in colors.items():
        plot.add_bar(
            orientation="h",
            y=[label(name) for name in names],
            x=[study.outcomes[name].loss[part] for name in names],
            name=part,
            marker_color=color,
            text=[_accuracy(study.outcomes[name], part) for name in names],
            textposition="outside",
            textfont={"size": 11, "color": BLACK},
            cliponaxis=False,
        )
    plot.update_xaxes(type="log", exponentformat="power", tickfont_size=11)
    plot.update_yaxes(type="category")
    plot.update_layout(height=150 + 48 * len(names), legend_traceorder="reversed")
    return Figure(
        "causal_tests",
        "Causal tests: loss and accuracy with frequencies kept or removed",
        "Loss on a log axis, the accuracy beside each bar. Kept: the sum directions of the key "
        "frequencies, and the mean over all pairs. Removed: those directions. On the logits, as "
        "the paper does; on the neurons, as a demo does; and on the output side of the "
        "neuron-logit map.",
        plot,
    )


def _accuracy(outcome: Outcome, part: str) -> str:
    accuracy = outcome.accuracy[part]
    return "" if accuracy is None else label(f"{share(accuracy, 1)} right")
