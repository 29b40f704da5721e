"""What the Fourier analysis returns."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from mitool.analysis.fourier.attention import HeadPattern
from mitool.analysis.fourier.embedding import EmbeddingSpectrum
from mitool.analysis.fourier.form import CyclicForm
from mitool.analysis.fourier.formula import Formula
from mitool.analysis.fourier.grid import GridSpectrum
from mitool.analysis.fourier.identity import TrigIdentity
from mitool.analysis.fourier.interventions import Outcome
from mitool.analysis.fourier.logits import CosineFit
from mitool.analysis.fourier.neurons import NeuronSpectrum
from mitool.analysis.fourier.phases import Phases
from mitool.analysis.fourier.progress import Measures
from mitool.core.numerals import share
from mitool.core.result import Result
from mitool.storage import layout


@dataclass(frozen=True)
class FourierStudy:
    """All that was measured of a model of modular arithmetic.

    Attributes:
        own: the model's own loss and accuracy, over all pairs and all its outputs.
        form: the coordinate in which its task is an addition.
        bases: the operands' bases [row, operand].
        heads: each head's attention from the answer position.
        neurons: of the last MLP; None in an attention-only model.
        examples_of: for each key frequency of the neurons, the activations [a, b] of the neuron
            that it explains best, and that neuron's index.
        logits: as functions of the pair; the columns are the answer's phases.
        fit: the logits as cosines.
        key_frequencies: of the logits.
        identities: the trig identity of each key frequency.
        outcomes: of the causal tests, by name.
        formula: the extracted algorithm; None without key frequencies.
        progress: the measures of each checkpoint; empty where one alone was analysed.
        phases: found in them.
    """

    own: Outcome
    form: CyclicForm
    bases: tuple[Tensor, Tensor]
    embedding: EmbeddingSpectrum
    heads: list[HeadPattern]
    neurons: NeuronSpectrum | None
    examples_of: Mapping[int, tuple[int, Tensor]]
    logits: GridSpectrum
    fit: CosineFit
    key_frequencies: tuple[int, ...]
    identities: Mapping[int, TrigIdentity]
    outcomes: Mapping[str, Outcome]
    formula: Formula | None
    progress: tuple[Measures, ...]
    phases: Phases

    def arrays(self) -> dict[str, Tensor]:
        """The arrays behind the figures, by name."""
        arrays = {
            "basis_a": self.bases[0],
            "basis_b": self.bases[1],
            "embedding_norms": self.embedding.norms,
            "embedding_shares": self.embedding.shares,
            "embedding_singular_values": self.embedding.singular_values,
            "embedding_directions": self.embedding.directions,
            "embedding_directions_in_basis": self.embedding.in_basis,
            "logit_norms": self.logits.norms,
            "logit_products": self.logits.products,
            "logit_coefficients": self.fit.coefficients,
            "logit_shares": self.fit.shares,
            "logit_by_difference": self.fit.by_difference,
            "logit_output_means": self.fit.output_means,
        }
        for head in self.heads:
            name = f"attention.{head.name}"
            arrays |= {f"{name}.to_a": head.to_a, f"{name}.to_b": head.to_b}
        if self.neurons is not None:
            arrays |= {
                "neuron_norms": self.neurons.grid.norms,
                "neuron_shares": self.neurons.grid.shares,
                "neuron_products": self.neurons.grid.products,
                "neuron_frequency": self.neurons.frequency,
                "neuron_explained": self.neurons.explained,
                "neuron_logit_map": self.neurons.logit_map,
                "neuron_logit_map_singular_values": self.neurons.singular_values,
            }
        return arrays


@dataclass(frozen=True)
class FourierResult(Result):
    """A model of modular arithmetic in the Fourier basis."""

    study: FourierStudy

    def arrays(self) -> dict[str, Tensor]:
        return self.study.arrays()

    @property
    def conclusion(self) -> str | None:
        """The algorithm on one line; None without key frequencies."""
        formula = self.study.formula
        if formula is None:
            return None
        n_pairs = self.study.form.sums.numel()
        without = "" if 0 in self.study.form.operands else " without a 0"
        explained = self.study.fit.share(self.study.key_frequencies)
        return (
            f"{formula.text(self.study.form)}: agrees with the model on "
            f"{share(formula.agreement, 2)} of {n_pairs:,} pairs{without}, explains "
            f"{explained:z.1%} of the logits' variance, and is itself right on "
            f"{share(formula.accuracy)}"
        )

    def documents(self) -> dict[str, dict[str, Any]]:
        """``algorithm.json``, where there is an algorithm, and ``progress.json``, the measures of
        each checkpoint where several were analysed.
        """
        study, documents = self.study, dict[str, dict[str, Any]]()
        if study.formula is not None:
            task = dict(self.subject["task"])
            document = study.formula.as_json(study.form, task, study.identities)
            documents[layout.ALGORITHM] = document
        if study.progress:
            documents[layout.PROGRESS] = {"checkpoints": [asdict(m) for m in study.progress]}
        return documents
