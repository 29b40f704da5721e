"""The findings of a Fourier analysis by their fixed names."""

from collections.abc import Mapping

from mitool.analysis.fourier.interventions import (
    ONLY_LOGITS,
    ONLY_MAP,
    ONLY_NEURONS,
    WITHOUT_LOGITS,
    WITHOUT_NEURONS,
    Outcome,
)
from mitool.analysis.fourier.neurons import map_gini
from mitool.analysis.fourier.observe import PARTS
from mitool.analysis.fourier.phases import Phases
from mitool.analysis.fourier.result import FourierStudy
from mitool.core.config import as_dict
from mitool.core.numerals import share
from mitool.core.result import Claim
from mitool.settings import FourierSettings
from mitool.tasks import Task

UNKNOWN = Outcome(dict.fromkeys(PARTS), dict.fromkeys(PARTS))
"""Of a test that was not made, or has no meaning."""


OF_MODEL = (
    *("p", "op", "accuracy_all", "accuracy_test", "loss_train", "loss_test"),
    *("key_frequencies_embedding", "key_frequencies_neurons", "key_frequencies_logits"),
    *("embedding_variance_in_key_frequencies", "logit_variance_explained"),
    *("logit_variance_by_frequency", "logit_variance_of_output_bias", "cosine_to_ideal"),
    *("neurons_single_frequency_fraction", "gini_embedding", "gini_neuron_logit"),
)
OF_FORMULA = ("formula", "formula_accuracy", "formula_agreement", "formula_loss")


def claim_names(*, follows: bool) -> list[str]:
    """What the claims will be called.

    Args:
        follows: the measures are followed through checkpoints.
    """
    ends = Phases().ends if follows else ()
    of_phases = (name for end in ends for name in (end, f"{end}_between"))
    return [*OF_MODEL, *_tests({}), *OF_FORMULA, *of_phases]


def claims_of(study: FourierStudy, task: Task, settings: FourierSettings) -> dict[str, Claim]:
    """All claims; those that are undefined are None."""
    parameters = as_dict(task)
    embedding, neurons, formula = study.embedding, study.neurons, study.formula
    of_embedding = embedding.key_frequencies()
    keys = list(study.key_frequencies)
    claims: dict[str, Claim] = {
        "p": parameters["p"],
        "op": parameters["op"],
        "accuracy_all": study.own.accuracy["all"],
        "accuracy_test": study.own.accuracy["test"],
        "loss_train": study.own.loss["train"],
        "loss_test": study.own.loss["test"],
        "key_frequencies_embedding": of_embedding,
        "key_frequencies_neurons": (
            None if neurons is None else neurons.key_frequencies(settings.neuron_threshold)
        ),
        "key_frequencies_logits": keys,
        "embedding_variance_in_key_frequencies": (
            sum(embedding.shares[k - 1].item() for k in of_embedding)
        ),
        "logit_variance_explained": study.fit.share(keys) if keys else None,
        "logit_variance_by_frequency": [study.fit.shares[k - 1].item() for k in keys],
        "logit_variance_of_output_bias": study.fit.bias_share,
        "cosine_to_ideal": study.fit.cosine_to_ideal(keys) if keys else None,
        "neurons_single_frequency_fraction": None if neurons is None else neurons.single_fraction,
        "gini_embedding": embedding.gini,
        "gini_neuron_logit": None if neurons is None else map_gini(neurons.logit_map),
    }
    claims |= _tests(study.outcomes)
    claims |= {
        "formula": None if formula is None else formula.text(study.form),
        "formula_accuracy": None if formula is None else formula.accuracy,
        "formula_agreement": None if formula is None else formula.agreement,
        "formula_loss": None if formula is None else formula.loss,
    }
    if study.progress:
        for name, epoch in study.phases.ends.items():
            between = study.phases.between.get(name)
            claims |= {name: epoch, f"{name}_between": None if between is None else [*between]}
    return claims


def _tests(outcomes: Mapping[str, Outcome]) -> dict[str, Claim]:
    only, removed = (outcomes.get(name, UNKNOWN) for name in (ONLY_LOGITS, WITHOUT_LOGITS))
    claims: dict[str, Claim] = {}
    claims |= {f"restricted_loss_{part}": only.loss[part] for part in PARTS}
    claims |= {f"excluded_loss_{part}": removed.loss[part] for part in PARTS}
    claims["accuracy_only_key_frequencies"] = only.accuracy["all"]
    claims["accuracy_without_key_frequencies"] = removed.accuracy["all"]
    for kind, name in (("restricted", ONLY_NEURONS), ("excluded", WITHOUT_NEURONS)):
        loss = outcomes.get(name, UNKNOWN).loss
        claims |= {f"neuron_{kind}_loss_{part}": loss[part] for part in PARTS}
    claims["neuron_logit_map_restricted_loss_all"] = outcomes.get(ONLY_MAP, UNKNOWN).loss["all"]
    return claims


def warnings_of(study: FourierStudy) -> tuple[str, ...]:
    """What a reader must know before using the claims."""
    warnings = []
    if not study.key_frequencies:
        warnings.append(
            "the logits have no key frequency: the model has not grokked, or not by this "
            "algorithm, and the claims about key frequencies are undefined"
        )
    accuracy = study.own.accuracy["all"]
    if study.key_frequencies and accuracy is not None and accuracy < 1:
        warnings.append(
            f"the model is right on {share(accuracy, 1)} of all pairs: it has not grokked, or not "
            "wholly. Whether the formula is right says nothing of the model; what it explains and "
            "agrees with does"
        )
    if study.heads[-1].layer > 0:
        warnings.append("the neurons are those of the last layer")
    if study.neurons is None:
        warnings.append("the model has no MLP: the claims about neurons are undefined")
    if study.own.loss["train"] is None:
        warnings.append(
            "the checkpoint does not say which pairs trained: the claims about train and test "
            "pairs are undefined"
        )
    if not study.form.is_exact:
        warnings.append(
            "several operands share a square, so that functions of different frequencies "
            "overlap: shares of the embedding's and the neurons' variance do not add up"
        )
    if 0 not in study.form.operands:
        warnings.append(
            "a product with 0 has no logarithm: pairs with a 0 and the answer 0 are left out, "
            "except from the model's own loss and accuracy"
        )
    undefined = [name for name, epoch in study.phases.ends.items() if epoch is None]
    if undefined and study.progress and study.key_frequencies:
        names = ", ".join(f"{name}, {name}_between" for name in undefined)
        warnings.append(f"undefined: {names}: {study.phases.why_not}")
    return tuple(warnings)
