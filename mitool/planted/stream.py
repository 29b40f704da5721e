"""Weights set by hand, in a residual stream that is divided into named places.

What a circuit computes with reads and writes its places. All other heads and neurons are
distractors: they read the whole stream and write to a place of their own, SCRATCH, which nothing
of the circuit reads and the unembedding does not see; the nodes of the circuit have some
dimensions and neurons of that kind beside their own. Last the stream is turned to a random basis,
as a trained model has no preferred one (Elhage et al. 2021): the function stays the same, but what
was exactly 0 is then 0 to rounding, so that a method finds no circuit by looking for numbers other
than 0.
"""

import math
from collections.abc import Mapping
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.core.device import generator
from mitool.models.transformer import ToyTransformer, TransformerConfig, with_weights
from mitool.settings import ModelSettings
from mitool.tasks import Task

SCRATCH = "scratch"
SCRATCH_WIDTH = 16
SPARE = 4
"""Dimensions that every head has beyond what the circuit's heads carry; they move scratch."""

GAIN = 10.0
"""The size of the logits."""

Matrix = Float[Tensor, "_ _"]


class Weights:
    """The weights of one model under construction, in float64.

    Args:
        name: the model's, from which the seed of all that is random follows.
        places: the width of each place in the stream.
        carried: the greatest width that a head of the circuit carries.
        neurons: of each MLP.
        biases: whether neurons have thresholds, and MLPs an offset.
    """

    def __init__(
        self,
        name: str,
        task: Task,
        places: Mapping[str, int],
        *,
        carried: int,
        neurons: int = 24,
        n_layers: int = 2,
        n_heads: int = 4,
        biases: bool = False,
    ) -> None:
        widths = {**places, SCRATCH: SCRATCH_WIDTH}
        starts = accumulate(widths.values(), initial=0)
        self.places = {
            place: slice(start, start + width)
            for (place, width), start in zip(widths.items(), starts, strict=False)
        }
        settings = ModelSettings(
            n_layers=n_layers,
            n_heads=n_heads,
            d_model=sum(widths.values()),
            d_head=carried + SPARE,
            d_mlp=neurons,
            biases="mlp" if biases else "none",
        )
        self.cfg = TransformerConfig.for_task(settings, task)
        self._random = generator(0, "planted", name)
        with torch.device("meta"):
            shapes = {k: v.shape for k, v in ToyTransformer(self.cfg).state_dict().items()}
        self.tensors = {k: torch.zeros(v, dtype=torch.float64) for k, v in shapes.items()}
        self._looking: set[tuple[int, int]] = set()
        self._carried: dict[tuple[int, int], int] = {}
        self._neurons = [0] * n_layers

    def embed(self, place: str, rows: Matrix) -> None:
        """What each token writes at a place [token, width]; tokens beyond the rows write 0."""
        self.tensors["embed.W_E"][: len(rows), self.places[place]] = rows.double()

    def embed_positions(self, place: str) -> None:
        """Each position's own direction at a place."""
        n_ctx = self.cfg.n_ctx
        self.tensors["pos_embed.W_pos"][:, self.places[place]] = torch.eye(n_ctx).double()

    def unembed(self, place: str, outputs: Matrix) -> None:
        """The logits [width, d_vocab_out] of a place."""
        self.tensors["unembed.W_U"][self.places[place]] = GAIN * outputs.double()

    def look(
        self, layer: int, head: int, q: tuple[str, Matrix], k: tuple[str, Matrix], nats: float
    ) -> None:
        """Where a head looks: its scores are ``nats`` times the product of two maps of places."""
        self._looking.add((layer, head))
        for letter, (place, rows) in (("Q", q), ("K", k)):
            scale = nats * math.sqrt(self.cfg.d_head) if letter == "Q" else 1.0
            weight = self.tensors[f"blocks.{layer}.attn.W_{letter}"]
            weight[head, self.places[place], : rows.shape[1]] = scale * rows.double()

    def carry(self, layer: int, head: int, source: str, target: str, rows: Matrix) -> None:
        """What a head carries from a place to another, by a map [source, target]."""
        width = len(rows)
        self._carried[layer, head] = width
        W_V, W_O = (self.tensors[f"blocks.{layer}.attn.W_{letter}"][head] for letter in "VO")
        W_V[self.places[source], :width] = torch.eye(width).double()
        W_O[:width, self.places[target]] = rows.double()

    def compute(
        self,
        layer: int,
        reads: Mapping[str, Matrix],
        writes: tuple[str, Matrix],
        thresholds: Float[Tensor, " neuron"] | None = None,
        offset: float = 0.0,
    ) -> None:
        """Neurons of a layer: ``relu(sum of what they read - thresholds)``, written to a place.

        Args:
            reads: for each place a map [width, neuron].
            writes: a place and a map [neuron, width].
            offset: added to what is written, whatever the neurons do.
        """
        place, out = writes
        own = slice(self._neurons[layer], self._neurons[layer] + len(out))
        self._neurons[layer] = own.stop
        mlp = f"blocks.{layer}.mlp"
        for source, rows in reads.items():
            self.tensors[f"{mlp}.W_in"][self.places[source], own] = rows.double()
        self.tensors[f"{mlp}.W_out"][own, self.places[place]] = out.double()
        if thresholds is not None:
            self.tensors[f"{mlp}.b_in"][own] = -thresholds.double()
            self.tensors[f"{mlp}.b_out"][self.places[place]] += offset

    def model(self) -> ToyTransformer:
        """The model, with distractors wherever the circuit is not, in float32."""
        self._distract()
        turned = _turned(self.tensors, self._orthogonal())
        return with_weights(self.cfg, {k: v.float().contiguous() for k, v in turned.items()})

    def _distract(self) -> None:
        for name in ("embed.W_E", "pos_embed.W_pos"):
            rows = self.tensors[name]
            rows[:, self.places[SCRATCH]] = self._draw(len(rows), SCRATCH_WIDTH)
        for layer in range(self.cfg.n_layers):
            for head in range(self.cfg.n_heads):
                self._distract_head(layer, head)
            self._distract_neurons(layer)

    def _distract_head(self, layer: int, head: int) -> None:
        """Let a head look anywhere if it is none of the circuit's, and move scratch in any case."""
        d_head, attn = self.cfg.d_head, f"blocks.{layer}.attn"
        if (layer, head) not in self._looking:
            for letter in "QK":
                self.tensors[f"{attn}.W_{letter}"][head] = self._reads(d_head) / math.sqrt(2)
        used = self._carried.get((layer, head), 0)
        self.tensors[f"{attn}.W_V"][head, :, used:] = self._reads(d_head - used)
        self.tensors[f"{attn}.W_O"][head, used:, self.places[SCRATCH]] = self._writes(d_head - used)

    def _distract_neurons(self, layer: int) -> None:
        used, mlp = self._neurons[layer], f"blocks.{layer}.mlp"
        n = self.cfg.d_mlp - used
        self.tensors[f"{mlp}.W_in"][:, used:] = self._reads(n)
        self.tensors[f"{mlp}.W_out"][used:, self.places[SCRATCH]] = self._writes(n)
        if self.cfg.biases != "none":
            self.tensors[f"{mlp}.b_in"][used:] = self._draw(n)

    def _reads(self, width: int) -> Float[Tensor, "d_model width"]:
        """A random map of the whole stream, to numbers of about 1."""
        return self._draw(self.cfg.d_model, width) / math.sqrt(SCRATCH_WIDTH)

    def _writes(self, width: int) -> Float[Tensor, "width scratch"]:
        """A random map to scratch, of numbers of about 1 to numbers of about 1."""
        return self._draw(width, SCRATCH_WIDTH) / math.sqrt(width)

    def _draw(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._random, dtype=torch.float64)

    def _orthogonal(self) -> Float[Tensor, "d_model d_model"]:
        """A random basis of the stream."""
        q, r = torch.linalg.qr(self._draw(self.cfg.d_model, self.cfg.d_model))
        return q * r.diagonal().sign()


def _turned(
    tensors: Mapping[str, Tensor], basis: Float[Tensor, "d_model d_model"]
) -> dict[str, Tensor]:
    """The weights of the same function with the stream ``x`` written as ``x basis``."""
    writing = ("W_E", "W_pos", "W_O", "W_out", "b_out")
    reading = ("W_Q", "W_K", "W_V", "W_in", "W_U")
    turned = dict(tensors)
    for name, weight in tensors.items():
        kind = name.rpartition(".")[2]
        if kind in writing:
            turned[name] = weight @ basis
        elif kind in reading:
            turned[name] = basis.T @ weight
    return turned
