"""Direct logit attribution: what each part of a model adds to an answer's logit by itself.

A part's write ``w`` reaches the logits directly through the final norm, whose scale ``s`` is that
of the whole stream: ``w W_U[right] - w W_U[wrong]`` over ``s``, with the norm's weight folded into
``W_U`` (nostalgebraist 2020; Elhage et al. 2021). Where the stream itself is normed after a write,
each of those norms is taken as it is on the example. Logits are those before a soft cap, if there
is one. The parts add up to the difference of the two logits, which is checked on every example.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mitool.analysis.attention.weights import Weights
from mitool.analysis.interventions.run import Run
from mitool.core.errors import InputError
from mitool.models.decoder import Decoder, Norm
from mitool.models.decoder.decoder import TOLERANCE
from mitool.pairs.prompts import Prompts


@dataclass(frozen=True)
class DirectAttribution:
    """What each part adds to the logit of the right answer less that of the wrong one, in logits.

    Attributes:
        heads: each head.
        mlps: each MLP, or mixture of experts.
        embed: the embedding, positions included.
        biases: the biases of attention, of norms after it, of the stream's norms, of the final
            norm and of the unembedding.
    """

    heads: Float[Tensor, "layer head"]
    mlps: Float[Tensor, " layer"]
    embed: Float[Tensor, ""]
    biases: Float[Tensor, ""]

    @property
    def total(self) -> Float[Tensor, ""]:
        """The difference of the two logits."""
        return self.heads.sum() + self.mlps.sum() + self.embed + self.biases


def mean_of(parts: Sequence[DirectAttribution], n: int) -> DirectAttribution:
    """The sum of several, over ``n``."""

    def mean(name: str) -> Tensor:
        return torch.stack([getattr(part, name) for part in parts]).sum(dim=0) / n

    return DirectAttribution(mean("heads"), mean("mlps"), mean("embed"), mean("biases"))


class Attributor:
    """Attributes the logits of runs of a model.

    Args:
        weights: of the same model.
    """

    def __init__(self, decoder: Decoder, weights: Weights) -> None:
        self._decoder, self._weights = decoder, weights

    @torch.no_grad()
    def __call__(
        self,
        run: Run,
        prompts: Prompts,
        *,
        right: Int[Tensor, "example answer"],
        answered: Bool[Tensor, "example answer"],
    ) -> DirectAttribution:
        """The sums over answers.

        Args:
            prompts: what the run was over; its ``others`` are the wrong answers.
            right: the right ones.
            answered: which of them are known.

        Raises:
            InputError: the parts do not add up to the logits.
        """
        decoder, places = self._decoder, list(prompts.answer_positions)
        wrong = None if prompts.others is None else prompts.others.clamp(min=0)
        direction = self._difference(self._weights.W_U.T, right, wrong)
        heads, mlps = [], []
        biases = torch.zeros_like(direction[..., 0])
        if self._weights.b_U is not None:
            biases += self._difference(self._weights.b_U[:, None], right, wrong)[..., 0]
        stream = run.resid_pre(decoder.n_layers)[:, places]
        direction = direction / decoder.unembed.norm.scale(stream).to(direction)
        for own, part in reversed(list(zip(run.layers, decoder.layers, strict=True))):
            written = own.resid_mid[:, places], own.mlp_out[:, places]
            direction, constant = _before(part.norm_post, written[0] + written[1], direction)
            biases += constant
            mlps.append(_along(written[1], direction))
            written = own.resid_pre[:, places], own.attn_out[:, places]
            direction, constant = _before(part.norm_mid, written[0] + written[1], direction)
            biases += constant
            z = own.z_written[:, :, places]
            pulled = torch.einsum("ead,hkd->ehak", direction, part.W_write.to(direction))
            heads.append((pulled * z.to(pulled)).sum(dim=-1).transpose(1, 2))
            besides = part.written_besides(own.z[:, :, places])
            biases += _along(besides.expand_as(written[0]), direction)
        embed = _along(run.read.resid_pre[:, places], direction)
        found = torch.stack(heads[::-1]), torch.stack(mlps[::-1]), embed, biases
        self._require_sum(found, stream, right, wrong)
        of_heads, of_mlps, *others = found
        return DirectAttribution(
            (of_heads * answered[..., None]).sum(dim=(1, 2)),
            (of_mlps * answered).sum(dim=(1, 2)),
            *((part * answered).sum() for part in others),
        )

    def _require_sum(
        self,
        found: tuple[Tensor, Tensor, Tensor, Tensor],
        stream: Float[Tensor, "example answer d_model"],
        right: Int[Tensor, "example answer"],
        wrong: Int[Tensor, "example answer"] | None,
    ) -> None:
        """Check that all parts add up to the logits, to rounding."""
        heads, mlps, embed, biases = found
        total = heads.sum(dim=(0, 3)) + mlps.sum(dim=0) + embed + biases
        logits = self._decoder.unembed.uncapped(stream).to(total)
        expected = logits.gather(-1, right[..., None])[..., 0]
        expected = expected - (
            logits.mean(dim=-1) if wrong is None else logits.gather(-1, wrong[..., None])[..., 0]
        )
        sizes = heads.abs().sum(dim=(0, 3)) + mlps.abs().sum(dim=0) + embed.abs() + biases.abs()
        error = (total - expected).abs()
        if not (error <= TOLERANCE * (1 + sizes)).all():
            raise InputError(
                f"architecture {self._decoder.original.name}: expected parts that add up to the "
                f"model's logits, found a difference of {error.max().item():z.2g}: attributions "
                "would be of another model, and none is given"
            )

    @staticmethod
    def _difference(
        rows: Float[Tensor, "d_vocab_out width"],
        right: Int[Tensor, "example answer"],
        wrong: Int[Tensor, "example answer"] | None,
    ) -> Float[Tensor, "example answer width"]:
        return rows[right] - (rows.mean(dim=0) if wrong is None else rows[wrong])


def _before(
    norm: Norm,
    x: Float[Tensor, "example answer d_model"],
    direction: Float[Tensor, "example answer d_model"],
) -> tuple[Float[Tensor, "example answer d_model"], Float[Tensor, "example answer"]]:
    """A direction after a norm of ``x`` as it is before it, and what the norm's bias adds to it."""
    if norm.is_identity:
        return direction, torch.zeros_like(direction[..., 0])
    constant = _along(norm.constant(x), direction)
    return norm.transposed(direction / norm.scale(x).to(direction)), constant


def _along(
    x: Float[Tensor, "example answer d_model"], direction: Float[Tensor, "example answer d_model"]
) -> Float[Tensor, "example answer"]:
    return (x.to(direction) * direction).sum(dim=-1)
