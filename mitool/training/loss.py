"""Cross-entropy whose log-softmax is taken in float64.

In float32 the loss of a grokked model bottoms out near 1e-7 and training spikes, as
TransformerLens's Grokking_Demo explains.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.device import to_float64

CHUNK = 4096
"""Examples whose float64 copy is held at a time."""


@torch.no_grad()
def loss_and_gradient(
    logits: Float[Tensor, "example answer vocab"], targets: Int[Tensor, "example answer"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "example answer vocab"]]:
    """Mean cross-entropy in nats, and its gradient with respect to the logits.

    Both are worked out in float64; the gradient is rounded to the logits' format.
    ``logits.backward(gradient)`` takes it on to the weights.
    """
    gradient = torch.empty_like(logits)
    losses = []
    n_tokens = targets.numel()
    rows = logits.flatten(end_dim=1), targets.flatten()[:, None], gradient.flatten(end_dim=1)
    for chunk, target, chunk_gradient in zip(*(x.split(CHUNK) for x in rows), strict=True):
        shifted = to_float64(chunk)
        target = target.to(shifted.device)
        shifted -= shifted.amax(dim=-1, keepdim=True)
        right = shifted.gather(-1, target)
        exp = shifted.exp_()
        total = exp.sum(dim=-1, keepdim=True)
        exp /= total * n_tokens
        exp.scatter_add_(-1, target, torch.full_like(right, -1 / n_tokens))
        chunk_gradient.copy_(exp)
        losses.append((total.log() - right).sum())
    return torch.stack(losses).sum() / n_tokens, gradient


def token_losses(
    logits: Float[Tensor, "*example vocab"], targets: Int[Tensor, "*example"]
) -> Float[Tensor, "*example"]:
    """Cross-entropy of each target in nats, in float64."""
    logprobs = to_float64(logits).log_softmax(dim=-1)
    return -logprobs.gather(-1, targets.unsqueeze(-1).to(logprobs.device)).squeeze(-1)
