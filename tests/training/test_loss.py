import math

import pytest
import torch
import torch.nn.functional as F

from mitool.tasks import NO_ANSWER
from mitool.training.loss import CHUNK, loss_and_gradient, token_losses


@pytest.mark.parametrize("n", [3, CHUNK + 100])  # the second is more than is taken at a time
def test_loss_and_gradient_are_those_of_float64_cross_entropy(n: int) -> None:
    logits = torch.randn(n, 2, 5, dtype=torch.float64, requires_grad=True)
    before, targets = logits.detach().clone(), torch.randint(5, (n, 2))
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    loss, gradient = loss_and_gradient(logits, targets)
    assert torch.allclose(loss, expected, rtol=1e-14)
    assert torch.allclose(gradient, expected_gradient, rtol=1e-12, atol=1e-18)
    assert torch.equal(logits, before)


def test_float32_logits_have_losses_far_below_float32_resolution() -> None:
    # one right logit, 30 above the other: the loss is log(1 + e^-30), which float32 rounds to 0
    logits = torch.tensor([[[30.0, 0.0]]])
    targets = torch.tensor([[0]])
    loss, gradient = loss_and_gradient(logits, targets)
    exact = math.log1p(math.exp(-30))
    assert loss.dtype == torch.float64
    assert abs(loss.item() / exact - 1) < 1e-2
    assert gradient.dtype == torch.float32
    assert gradient[0, 0, 1].item() == pytest.approx(math.exp(-30), rel=1e-6)
    assert F.cross_entropy(logits[0], targets[0]).item() == 0.0


def test_token_losses_average_to_the_loss() -> None:
    logits, targets = torch.randn(6, 2, 4), torch.randint(4, (6, 2))
    losses = token_losses(logits, targets)
    assert losses.shape == (6, 2)
    assert torch.allclose(losses.mean(), loss_and_gradient(logits, targets)[0], rtol=1e-12)


@pytest.mark.parametrize("n", [5, CHUNK])
def test_positions_without_an_answer_count_for_nothing(n: int) -> None:
    logits = torch.randn(n, 3, 5, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(5, (n, 3))
    targets[torch.rand(n, 3) < 0.4] = NO_ANSWER
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=NO_ANSWER)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    loss, gradient = loss_and_gradient(logits, targets)
    assert torch.allclose(loss, expected, rtol=1e-14)
    assert torch.allclose(gradient, expected_gradient, rtol=1e-12, atol=1e-18)
    losses = token_losses(logits, targets)
    assert not losses[targets == NO_ANSWER].any()
    assert torch.allclose(losses.sum() / (targets != NO_ANSWER).sum(), expected, rtol=1e-12)
