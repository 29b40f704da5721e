"""Figures of the neurons: their frequencies, what they compute, what they write."""

import torch

from mitool.analysis.fourier.grid import transform
from mitool.analysis.fourier.neurons import SINGLE_FREQUENCY, NeuronSpectrum
from mitool.analysis.fourier.result import FourierStudy
from mitool.core.numerals import share
from mitool.report.figures import GREY, PALETTE, Figure, label, new_plot
from mitool.report.fourier.bars import add_threshold, component_bars, named
from mitool.report.fourier.spectra import grid_spectrum_plot, operand_axis, singular_values_plot
from mitool.report.heatmaps import heatmap, heatmap_panels, thinning

MOST_CLUSTERS = 6


def neuron_figures(study: FourierStudy) -> list[Figure]:
    """Nothing for a model without an MLP."""
    neurons = study.neurons
    if neurons is None:
        return []
    figures = [_explained(neurons), _grid(neurons)]
    if study.examples_of:
        figures += [*_examples(study), _writes(neurons, list(study.examples_of))]
    return [*figures, _map(neurons), _map_singular_values(neurons)]


def _explained(neurons: NeuronSpectrum) -> Figure:
    plot = new_plot(
        "neuron, by how much one frequency explains of it", "share of variance explained"
    )
    order = neurons.explained.argsort(descending=True)
    sizes = neurons.cluster_sizes()
    clusters = list(sizes)[:MOST_CLUSTERS]
    frequency = neurons.frequency[order].tolist()
    explained = neurons.explained[order].tolist()
    rank = range(len(order))
    for index, k in enumerate([*clusters, None]):
        mine = [i for i in rank if (frequency[i] == k if k else frequency[i] not in clusters)]
        plot.add_scatter(
            x=mine,
            y=[round(explained[i], 5) for i in mine],
            mode="markers",
            name=label(f"frequency {k}" if k else "other frequencies"),
            marker={"size": 5, "color": PALETTE[index] if k else GREY},
        )
    add_threshold(plot, SINGLE_FREQUENCY, len(order), "one frequency from")
    plot.update_yaxes(range=(-0.03, 1.05))
    counts = ", ".join(f"{k} has {size}" for k, size in sizes.items())
    return Figure(
        "neuron_frequencies",
        "Neurons: how much one frequency explains",
        "For each neuron the share of its variance over all pairs that the 8 linear and quadratic "
        f"terms of its best frequency explain. {share(neurons.single_fraction, 1)} of the "
        f"{len(order)} neurons have one frequency (at least {SINGLE_FREQUENCY:z.0%} explained): "
        f"{counts or 'none'}.",
        plot,
    )


def _grid(neurons: NeuronSpectrum) -> Figure:
    norms = neurons.grid.norms
    return Figure(
        "neuron_grid",
        "Neurons: two-dimensional Fourier transform",
        "The norm over neurons of the activations' coefficient on each product of a function of a "
        "and one of b; the constant is left out. Linear terms lie on the edges, quadratic ones on "
        f"the diagonal.{thinning(norms)}",
        grid_spectrum_plot(norms, "norm over neurons"),
    )


def _examples(study: FourierStudy) -> list[Figure]:
    shown = list(study.examples_of.items())[:MOST_CLUSTERS]
    a, b = (operand_axis(study.form, name) for name in "ab")
    activations = {f"neuron {i}, frequency {k}": values for k, (i, values) in shown}
    spectra = {}
    for name, values in activations.items():
        spectra[name] = transform(values.flatten(), study.bases)
        spectra[name][0, 0] = 0
    thinned = thinning(shown[0][1][1])
    return [
        Figure(
            "neuron_examples",
            "Neurons: one of each key frequency",
            "The activation over all pairs of the neuron that each key frequency of the neurons "
            f"explains best.{thinned}",
            heatmap_panels(activations, b, a, "activation"),
        ),
        Figure(
            "neuron_example_grids",
            "Neurons: the same in the two-dimensional Fourier basis",
            "Their coefficients on the products of a function of a and one of b, numbered by row "
            "of the basis: 0 is the constant, 2k - 1 and 2k are the cosine and sine of frequency "
            f"k. The coefficient of the constant itself is left out.{thinned}",
            heatmap_panels(spectra, "row of b", "row of a", "coefficient", diverging=True),
        ),
    ]


def _writes(neurons: NeuronSpectrum, keys: list[int]) -> Figure:
    shares = neurons.writes(keys)[:, [k - 1 for k in keys]]
    rest = (1 - shares.sum(dim=1, keepdim=True)).clamp_min(0)
    names = [f"frequency {k}" for k in keys]
    plot = heatmap(
        torch.cat([shares, rest], dim=1),
        "frequency written to the logits",
        "cluster of neurons",
        "share of squared weights",
        x=[*names, "all others"],
        y=names,
        height=160 + 46 * len(keys),
    )
    plot.update_traces(texttemplate="%{z:.3f}", zmin=0, zmax=1)
    plot.update_yaxes(autorange="reversed")
    return Figure(
        "neuron_writes",
        "Neuron-logit map: what each cluster writes",
        "Of the squared weights of W_out W_U of the neurons of each frequency, the share by the "
        "frequency of the output that they write. In the algorithm each cluster writes its own.",
        plot,
    )


def _map(neurons: NeuronSpectrum) -> Figure:
    plot = component_bars(neurons.logit_map.norm(dim=0), "norm over neurons")
    return Figure(
        "neuron_logit_map",
        "Neuron-logit map in the Fourier basis",
        "The norm over neurons of W_out W_U on the cosine and sine of each frequency of the "
        f"output. Frequencies with neurons of their own: {named(list(neurons.cluster_sizes()))}.",
        plot,
    )


def _map_singular_values(neurons: NeuronSpectrum) -> Figure:
    return Figure(
        "neuron_logit_map_singular_values",
        "Neuron-logit map: singular values",
        "In the algorithm its rank is two for each key frequency: a cosine and a sine.",
        singular_values_plot(neurons.singular_values, "W_out W_U"),
    )
