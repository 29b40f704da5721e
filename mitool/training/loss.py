"""Cross-entropy whose log-softmax is taken in float64.

In float32 the loss of a grokked model bottoms out near 1e-7 and training spikes, as
TransformerLens's Grokking_Demo explains.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.core.device import to_float64
from mitool.tasks import NO_ANSWER

CHUNK = 4096
"""Examples whose float64 copy is held at a time."""


@torch.no_grad()
def loss_and_gradient(
    logits: Float[Tensor, "example answer vocab"], targets: Int[Tensor, "example answer"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "example answer vocab"]]:
    """Mean cross-entropy in nats over all answers, and its gradient with respect to the logits.

    Targets that are ``NO_ANSWER`` count for neither. Both are worked out in float64; the gradient
    is rounded to the logits' format. ``logits.backward(gradient)`` takes it on to the weights.
    """
    gradient = torch.empty_like(logits)
    losses = []
    n_answers = (targets != NO_ANSWER).sum()
    rows = logits.flatten(end_dim=1), targets.flatten()[:, None], gradient.flatten(end_dim=1)
    for chunk, target, chunk_gradient in zip(*(x.split(CHUNK) for x in rows), strict=True):
        shifted = to_float64(chunk)
        target, count = target.to(shifted.device), n_answers.to(shifted.device)
        answered = target != NO_ANSWER
        target = target.clamp(min=0)
        shifted -= shifted.amax(dim=-1, keepdim=True)
        right = shifted.gather(-1, target)
        exp = shifted.exp_()
        total = exp.sum(dim=-1, keepdim=True)
        losses.append((total.log() - right).masked_fill(~answered, 0.0).sum())
        exp /= (total * count).masked_fill(~answered, torch.inf)
        exp.scatter_add_(-1, target, answered / -count.double())
        chunk_gradient.copy_(exp)
    return torch.stack(losses).sum() / n_answers.to(losses[0].device), gradient


def token_losses(
    logits: Float[Tensor, "*example vocab"], targets: Int[Tensor, "*example"]
) -> Float[Tensor, "*example"]:
    """Cross-entropy of each target in nats, in float64; 0 where it is ``NO_ANSWER``."""
    logprobs = to_float64(logits).log_softmax(dim=-1)
    targets = targets.to(logprobs.device)
    right = logprobs.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -right.masked_fill(targets == NO_ANSWER, 0.0)
