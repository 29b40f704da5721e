import math

import torch
import torch.nn.functional as F

from mitool.training.loss import CHUNK, cross_entropy, token_losses


def test_loss_and_gradient_are_those_of_float64_cross_entropy() -> None:
    # more examples than are taken at a time
    logits = torch.randn(CHUNK + 100, 1, 5, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(5, (CHUNK + 100, 1))
    (grad,) = torch.autograd.grad(3 * cross_entropy(logits, targets), logits)
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    (expected_grad,) = torch.autograd.grad(3 * expected, logits)
    assert torch.allclose(cross_entropy(logits, targets), expected, rtol=1e-14)
    assert torch.allclose(grad, expected_grad, rtol=1e-12, atol=1e-18)


def test_the_gradient_passes_a_numerical_check() -> None:
    logits = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(3, (4, 2))
    assert torch.autograd.gradcheck(lambda x: cross_entropy(x, targets), logits)


def test_float32_logits_have_losses_far_below_float32_resolution() -> None:
    # one right logit, 30 above the other: the loss is log(1 + e^-30), which float32 rounds to 0
    logits = torch.tensor([[[30.0, 0.0]]])
    targets = torch.tensor([[0]])
    exact = math.log1p(math.exp(-30))
    assert cross_entropy(logits, targets).dtype == torch.float64
    assert abs(cross_entropy(logits, targets).item() / exact - 1) < 1e-2
    assert F.cross_entropy(logits[0], targets[0]).item() == 0.0


def test_token_losses_average_to_the_loss() -> None:
    logits, targets = torch.randn(6, 2, 4), torch.randint(4, (6, 2))
    losses = token_losses(logits, targets)
    assert losses.shape == (6, 2)
    assert torch.allclose(losses.mean(), cross_entropy(logits, targets), rtol=1e-12)
