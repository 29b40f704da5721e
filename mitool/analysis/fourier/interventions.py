"""Causal tests: the model's outputs with some frequencies kept alone, or removed.

Kept alone ("restricted", the paper's trig loss) are the sum directions of the key frequencies
and the mean over all pairs; removed ("excluded") are the sum directions. Nanda et al. 2023,
arXiv 2301.05217, section 5, intervenes on the logits; TransformerLens's Grokking_Demo on the
neurons. Both are here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.fourier.basis import fourier_basis, rows_of
from mitool.analysis.fourier.grid import CHUNK
from mitool.analysis.fourier.logits import SumDirections
from mitool.analysis.fourier.neurons import neuron_logit_map
from mitool.analysis.fourier.observe import Division, Observation, Pairs, chunk_size
from mitool.models.recording import logits_with_neurons
from mitool.models.transformer import ToyTransformer
from mitool.training.loss import token_losses

UNCHANGED = "unchanged"
ONLY_LOGITS = "logits: key frequencies only"
WITHOUT_LOGITS = "logits: without key frequencies"
ONLY_NEURONS = "neurons: key frequencies only"
WITHOUT_NEURONS = "neurons: without key frequencies"
ONLY_MAP = "neuron-logit map: key frequencies only"


def without(k: int) -> str:
    """The name of the test that removes one frequency."""
    return f"logits: without frequency {k}"


@dataclass(frozen=True)
class Outcome:
    """Losses in nats and accuracies, on the train pairs, the test pairs and all."""

    loss: Mapping[str, float | None]
    accuracy: Mapping[str, float | None]


class LogitTests:
    """Interventions on the logits of one model.

    Args:
        logits: of each pair, in float64.
        directions: whose ``sums`` are the right answers.
        division: of these pairs.
    """

    def __init__(
        self, logits: Float[Tensor, "pair phase"], directions: SumDirections, division: Division
    ) -> None:
        self.logits = logits
        self.directions = directions
        self.division = division
        self.totals = directions.totals(logits)

    def unchanged(self) -> Outcome:
        """With nothing changed."""
        return self._less(torch.zeros(1, 1, dtype=self.logits.dtype).expand_as(self.totals))

    def only(self, frequencies: Sequence[int]) -> Outcome:
        """With only ``frequencies`` kept, and each output's mean."""
        table = self.directions.kept(self.totals, frequencies)
        answers, sums = torch.arange(len(table)), self.directions.sums
        losses, right = token_losses(table, answers), table.argmax(dim=-1) == answers
        return Outcome(self.division.means(losses[sums]), self.division.means(right[sums]))

    def without(self, frequencies: Sequence[int]) -> Outcome:
        """With ``frequencies`` removed."""
        return self._less(self.directions.projection(self.totals, frequencies))

    def _less(self, removed: Float[Tensor, "sum phase"]) -> Outcome:
        sums = self.directions.sums
        rows = torch.arange(len(self.logits)).split(max(1, CHUNK // self.logits.shape[1]))
        return outcome(
            ((self.logits[row] - removed[sums[row]], sums[row]) for row in rows), self.division
        )


class NeuronTests:
    """The same interventions on the last MLP's neurons, of which the model makes its logits."""

    def __init__(
        self, model: ToyTransformer, seen: Observation, pairs: Pairs, directions: SumDirections
    ) -> None:
        assert seen.neurons is not None, "an attention-only model has no neurons"
        self.model = model
        self.seen = seen
        self.neurons = seen.neurons
        self.pairs = pairs
        self.directions = directions
        self.division = pairs.covered_division
        self.totals = directions.totals(seen.neurons)

    def only(self, frequencies: Sequence[int]) -> Outcome:
        """With each neuron's mean, and only the sum directions of ``frequencies``."""
        table = self.directions.kept(self.totals, frequencies)
        return self._with(lambda rows: table[self.directions.sums[rows]])

    def without(self, frequencies: Sequence[int]) -> Outcome:
        """With the sum directions of ``frequencies`` removed from each neuron."""
        removed = self.directions.projection(self.totals, frequencies)
        return self._with(lambda rows: self.neurons[rows] - removed[self.directions.sums[rows]])

    def map_only(self, frequencies: Sequence[int]) -> Outcome | None:
        """With the neuron-logit map's output reduced to the cosines and sines of
        ``frequencies``; None where a final normalisation makes it no linear map.
        """
        if not self.model.ln_final.is_identity:
            return None
        form = self.pairs.form
        keys = fourier_basis(form.order)[[r for k in frequencies for r in rows_of(k, form.order)]]
        weights = neuron_logit_map(self.model, form)
        lost = weights - weights @ keys.T @ keys
        sums = self.directions.sums
        return outcome(
            (
                (self.seen.logits[row] - self.neurons[row] @ lost, sums[row])
                for row in torch.arange(len(sums)).split(chunk_size(self.model))
            ),
            self.division,
        )

    def _with(self, neurons: Callable[[Tensor], Tensor]) -> Outcome:
        sums, examples = self.directions.sums, self.pairs.examples
        chunks = torch.arange(len(sums)).split(chunk_size(self.model))

        def logits(rows: Tensor) -> Tensor:
            tokens = examples.tokens[self.pairs.covered[rows]]
            changed = logits_with_neurons(self.model, tokens, self.pairs.position, neurons(rows))
            return changed[:, self.pairs.form.outputs]

        return outcome(((logits(rows), sums[rows]) for rows in chunks), self.division)


def outcome(
    chunks: Iterable[tuple[Float[Tensor, "row phase"], Int[Tensor, " row"]]], division: Division
) -> Outcome:
    """Losses and accuracies of logits and right answers, chunk by chunk."""
    losses, right = [], []
    for logits, answers in chunks:
        losses.append(token_losses(logits, answers))
        right.append(logits.argmax(dim=-1) == answers)
    return Outcome(division.means(torch.cat(losses)), division.means(torch.cat(right)))
