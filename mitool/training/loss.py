"""Cross-entropy whose log-softmax is taken in float64.

In float32 the loss of a grokked model bottoms out near 1e-7 and training spikes; see the
"Loss function" of TransformerLens's Grokking_Demo.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

CHUNK = 4096
"""Examples whose float64 copy is held at a time."""


def cross_entropy(
    logits: Float[Tensor, "*example vocab"], targets: Int[Tensor, "*example"]
) -> Float[Tensor, ""]:
    """Mean cross-entropy in nats, as a float64 scalar.

    The gradient is worked out in float64 with the loss, and rounded to the logits' format.
    """
    return _CrossEntropy.apply(logits.flatten(end_dim=-2), targets.flatten())  # type: ignore[no-untyped-call]


def token_losses(
    logits: Float[Tensor, "*example vocab"], targets: Int[Tensor, "*example"]
) -> Float[Tensor, "*example"]:
    """Cross-entropy of each target in nats, in float64."""
    logprobs = logits.double().log_softmax(dim=-1)
    return -logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, targets):  # type: ignore[no-untyped-def]
        grad = torch.empty_like(logits)
        loss = torch.zeros((), dtype=torch.float64, device=logits.device)
        chunks = (x.split(CHUNK) for x in (logits, targets[:, None], grad))
        for chunk, target, chunk_grad in zip(*chunks, strict=True):
            shifted = chunk.to(torch.float64, copy=True)
            shifted -= shifted.amax(dim=-1, keepdim=True)
            right = shifted.gather(-1, target)
            exp = shifted.exp_()
            total = exp.sum(dim=-1, keepdim=True)
            exp /= total * len(logits)
            exp.scatter_add_(-1, target, torch.full_like(right, -1 / len(logits)))
            chunk_grad.copy_(exp)
            loss += (total.log() - right).sum()
        ctx.save_for_backward(grad)
        return loss / len(logits)

    @staticmethod
    def backward(ctx, grad_loss):  # type: ignore[no-untyped-def]
        (grad,) = ctx.saved_tensors
        return grad * grad_loss.to(grad.dtype), None
