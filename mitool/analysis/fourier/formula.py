"""The algorithm that a model learned, as a closed form that needs no model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.fourier.basis import angles
from mitool.analysis.fourier.form import CyclicForm
from mitool.analysis.fourier.identity import TrigIdentity
from mitool.analysis.fourier.logits import CosineFit
from mitool.training.loss import token_losses

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
        by_difference: its logit of the output whose phase is 0, 1, .. below the right answer's.
    """

    frequencies: tuple[int, ...]
    coefficients: tuple[float, ...]
    loss: float
    accuracy: float
    agreement: float
    by_difference: Float[Tensor, " difference"]

    @property
    def margin(self) -> float:
        """The right answer's logit less the largest other one."""
        return _margin(self.by_difference)

    def text(self, form: CyclicForm) -> str:
        """The formula on one line."""
        terms = [
            f"{coefficient:z.4g} cos({k if k > 1 else ''}w({form.difference}))"
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
    coefficients = [fit.coefficients[k - 1].item() for k in frequencies]
    by_difference = torch.zeros(n, dtype=torch.float64)
    for k, coefficient in zip(frequencies, coefficients, strict=True):
        by_difference += coefficient * angles(k, n).cos()
    is_right = _margin(by_difference) > LEAST_MARGIN * sum(map(abs, coefficients))
    sums = form.sums.flatten()
    predicted = sums if is_right else (sums - by_difference.argmax()) % n
    return Formula(
        tuple(frequencies),
        tuple(coefficients),
        token_losses(by_difference, torch.tensor(0)).item(),
        float(is_right),
        (logits.argmax(dim=-1) == predicted).double().mean().item(),
        by_difference,
    )


def _margin(by_difference: Float[Tensor, " difference"]) -> float:
    return (by_difference[0] - by_difference[1:].max()).item()
