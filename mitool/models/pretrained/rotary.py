"""Which dimensions rotary positions turn together, found by what a model's own function does."""

import sys

import torch
from torch import Tensor, nn

from mitool.models.decoder.attention import apply_rotary

APPLIES = "apply_rotary_pos_emb"
"""What the module of an architecture calls the function that turns queries and keys."""

CLOSE = 1e-4


@torch.no_grad()
def as_turned(attention: nn.Module, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """The tables of a model as its attention uses them.

    GLM and its kin are given tables for the two halves of a head, of which they take the first
    half and turn neighbouring dimensions by it: theirs come back with each plane twice in a row.
    All others come back as they are.

    Args:
        cos: the cosines that attention is given [pos, rotary].
        sin: the sines likewise.
    """
    apply = getattr(sys.modules[type(attention).__module__], APPLIES, None)
    repeated = tuple(t[:, : t.shape[1] // 2].repeat_interleave(2, dim=1) for t in (cos, sin))
    if apply is None or torch.equal(repeated[0], cos):
        return cos, sin
    probe = torch.randn(cos.shape, generator=torch.Generator().manual_seed(0)).to(cos)
    try:
        turned = apply(probe[None, None], probe[None, None], cos[None], sin[None])[0][0, 0]
    except (TypeError, RuntimeError, IndexError):  # it has other arguments: nothing is known of it
        return cos, sin
    own = apply_rotary(probe, repeated[0], repeated[1], interleaved=True)
    is_its_own = turned.shape == own.shape and (turned - own).abs().max() < CLOSE
    return (repeated[0], repeated[1]) if is_its_own else (cos, sin)
