"""The algorithm that a model learned, as a closed form that needs no model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.fourier.form import CyclicForm
from mitool.analysis.fourier.identity import TrigIdentity
from mitool.analysis.fourier.interventions import losses_of
from mitool.analysis.fourier.logits import CosineFit

LEAST_MARGIN = 1e-9
"""Of the largest possible logit: a smaller lead of the right answer is rounding."""


@dataclass(frozen=True)
class Formula:
    """``logit(c | a, b) = sum_k coefficients[k] cos(2 pi k (a + b - c) / n)``.

    It knows the right answer only through the cosines, so that it is right on all pairs or on
    none, with the same loss on each.

    Attributes:
        loss: cross-entropy in nats.
        accuracy: 1 if the right answer has the largest logit, and alone; else 0.
        agreement: the share of pairs on which its answer is the model's.
        margin: the right answer's logit less the largest other one.
    """

    frequencies: tuple[int, ...]
    coefficients: tuple[float, ...]
    loss: float
    accuracy: float
    agreement: float
    margin: float

    def text(self, form: CyclicForm) -> str:
        """The formula on one line."""
        terms = [
            f"{coefficient:.4g} cos({k if k > 1 else ''}w({form.difference}))"
            for k, coefficient in zip(self.frequencies, self.coefficients, strict=True)
        ]
        logit = " + ".join(terms).replace("+ -", "- ")
        return f"logit(c | a, b) = {logit}, w = 2pi/{form.modulus}"

    def as_json(
        self, form: CyclicForm, task: dict[str, Any], identities: Mapping[int, TrigIdentity]
    ) -> dict[str, Any]:
        """All that is needed to compute the formula, and how the model makes each of its terms."""
        return {
            "task": task,
            "formula": self.text(form),
            "order": form.order,
            "terms": [
                {"frequency": k, "coefficient": coefficient, "identity": asdict(identities[k])}
                for k, coefficient in zip(self.frequencies, self.coefficients, strict=True)
            ],
            "operands": form.operands.tolist(),
            "phases_a": form.phases_a.tolist(),
            "phases_b": form.phases_b.tolist(),
            "outputs": form.outputs.tolist(),
            "accuracy": self.accuracy,
            "loss": self.loss,
            "agreement": self.agreement,
            "margin": self.margin,
        }


def extract(
    fit: CosineFit,
    frequencies: Sequence[int],
    form: CyclicForm,
    logits: Float[Tensor, "pair phase"],
) -> Formula:
    """The formula of the fitted cosines of ``frequencies``, beside the model's ``logits``."""
    n = form.order
    phase = torch.arange(n, dtype=torch.float64)
    coefficients = [fit.coefficients[k - 1].item() for k in frequencies]
    by_difference = torch.zeros(n, dtype=torch.float64)
    for k, coefficient in zip(frequencies, coefficients, strict=True):
        by_difference += coefficient * (2 * math.pi * ((k * phase) % n) / n).cos()
    answer = torch.zeros(1, dtype=torch.long)
    margin = (by_difference[0] - by_difference[1:].max()).item()
    is_right = margin > LEAST_MARGIN * sum(map(abs, coefficients))
    sums = form.sums.flatten()
    predicted = sums if is_right else (sums - by_difference.argmax()) % n
    return Formula(
        tuple(frequencies),
        tuple(coefficients),
        losses_of(by_difference[None], answer).item(),
        float(is_right),
        (logits.argmax(dim=-1) == predicted).double().mean().item(),
        margin,
    )
