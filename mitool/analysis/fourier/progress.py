"""Progress measures through training (Nanda et al. 2023, arXiv 2301.05217, section 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mitool.analysis.fourier.basis import fourier_basis
from mitool.analysis.fourier.embedding import embedding_gini
from mitool.analysis.fourier.interventions import LogitTests
from mitool.analysis.fourier.logits import SumDirections, fit_cosines
from mitool.analysis.fourier.neurons import map_gini, neuron_logit_map
from mitool.analysis.fourier.observe import Pairs, in_float64, observe
from mitool.models.transformer import ToyTransformer


@dataclass(frozen=True)
class Measures:
    """The progress measures of one checkpoint, for the key frequencies of the last one.

    Attributes:
        loss, accuracy: the model's own, on train, test and all pairs.
        restricted, excluded: losses with the key frequencies kept alone, and removed.
        excluded_each: the loss on the train pairs with one key frequency removed.
        gini_embedding, gini_neuron_logit: of the norms of Fourier components.
        squared_weights: the sum of squares of the trained weights.
        cosine_to_ideal: of the centred logits, to the sum of the key cosines.
        residual_rms: of what the key cosines leave of the centred logits.
    """

    epoch: int
    loss: Mapping[str, float | None]
    accuracy: Mapping[str, float | None]
    restricted: Mapping[str, float | None]
    excluded: Mapping[str, float | None]
    excluded_each: Mapping[int, float | None]
    gini_embedding: float | None
    gini_neuron_logit: float | None
    squared_weights: float
    cosine_to_ideal: float | None
    residual_rms: float


def measure(
    model: ToyTransformer, epoch: int, pairs: Pairs, frequencies: Sequence[int]
) -> Measures:
    """Measure one checkpoint."""
    form, division = pairs.form, pairs.division
    exact = in_float64(model)
    seen = observe(exact, pairs, inside=False)
    directions = SumDirections(form.sums.flatten(), form.order)
    fit = fit_cosines(seen.logits, directions)
    tests = LogitTests(seen.logits, directions, pairs.covered_division)
    part = "all" if division.is_train is None else "train"
    gini_map = None
    if not model.cfg.attn_only:
        gini_map = map_gini(neuron_logit_map(exact, form) @ fourier_basis(form.order).T)
    return Measures(
        epoch,
        division.means(seen.losses),
        division.means(seen.is_right),
        tests.only(frequencies).loss,
        tests.without(frequencies).loss,
        {k: tests.without([k]).loss[part] for k in frequencies},
        embedding_gini(exact.embed.W_E, form),
        gini_map,
        sum(weight.square().sum().item() for weight in exact.parameters()),
        fit.cosine_to_ideal(frequencies),
        fit.residual_rms(frequencies),
    )
