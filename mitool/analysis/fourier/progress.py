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

REST = 0.05
"""Of the fall in squared weights since the circuit formed, what may be left of a clean-up."""

SETTLED = 0.8
"""A clean-up that takes more of the time left than this may not have ended."""


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


@dataclass(frozen=True)
class Phases:
    """Where the phases of grokking end, in epochs of the checkpoints; None where unseen.

    Memorisation ends where the excluded loss on the train pairs is lowest: from there on the
    model relies more and more on the key frequencies. Circuit formation ends where it is
    highest. Clean-up ends where at most 5 % remain of the fall in the sum of squared weights
    since then.

    Attributes:
        why_not: why some are not to be seen; empty where all are.
    """

    memorisation_end: int | None = None
    circuit_formation_end: int | None = None
    cleanup_end: int | None = None
    why_not: str = ""

    @property
    def ends(self) -> dict[str, int | None]:
        """The ends by the names of their claims, in their order."""
        return {
            "memorisation_end": self.memorisation_end,
            "circuit_formation_end": self.circuit_formation_end,
            "cleanup_end": self.cleanup_end,
        }


def find_phases(measures: Sequence[Measures]) -> Phases:
    """The phases of a run whose checkpoints are measured in the order of their epochs."""
    part = "all" if measures[0].excluded["train"] is None else "train"
    excluded = [m.excluded[part] or 0.0 for m in measures]
    last = len(measures) - 1
    valley = min(range(last + 1), key=lambda i: excluded[i])
    peak = max(range(valley, last + 1), key=lambda i: excluded[i])
    memorised = measures[valley].epoch if 0 < valley < last else None
    why_not = [] if valley > 0 else ["the excluded loss is lowest at the first checkpoint"]
    if peak == last:
        falls = "is lowest" if valley == last else "still rises"
        why_not.append(f"the excluded loss {falls} at the last checkpoint; train for more epochs")
        return Phases(memorised, None, None, "; ".join(why_not))
    formed = measures[peak].epoch
    rest = [m.squared_weights - measures[-1].squared_weights for m in measures[peak:]]
    ended = next(i for i, left in enumerate(rest) if left <= REST * rest[0])
    if ended > SETTLED * (last - peak):
        why_not.append("the weights still shrink at the last checkpoint; train for more epochs")
        return Phases(memorised, formed, None, "; ".join(why_not))
    return Phases(memorised, formed, measures[peak + ended].epoch, "; ".join(why_not))
