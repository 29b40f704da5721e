"""The residual stream as a sum of what parts write, and what each adds to a logit difference.

Norms that come after a part, or that the whole stream goes through, are taken as they are in the
run at hand: a shift to mean zero where the norm makes one, and a gain for each coordinate. So
taken they are linear, and parts add up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.huggingface.exactness import exactly_float64
from tests.huggingface.places import Block, Places, places_of
from tests.huggingface.runs import Hook, Recording, Stream, Tokens, logits_of, recorded

Parts = Mapping[str, Stream]
"""What each part has in the stream: ``input`` the embedding (of positions too), ``a0.h1`` a head,
``m0`` an MLP with its own biases, ``a0.bias`` the bias of an output projection and of a norm after
it, ``n0.before_attn`` and such the bias of a norm that the stream goes through, from there on."""


@dataclass(frozen=True)
class StreamParts:
    """The parts of the stream at each place where something reads it.

    Attributes:
        attn_reads: by layer, what the attention reads; but for a norm before it that only it
            goes through.
        mlp_reads: by layer, what the MLP reads likewise.
        final: what the final norm reads.
    """

    attn_reads: tuple[Parts, ...]
    mlp_reads: tuple[Parts, ...]
    final: Parts


@dataclass(frozen=True)
class Frozen:
    """A norm as it is for one input: ``gain * (x - mean) + bias``, or without the mean.

    Attributes:
        gain: of each coordinate, at each position.
        bias: what comes of a zero input.
        is_centred: whether the mean is taken off.
    """

    gain: Stream
    bias: Float[Tensor, " d_model"]
    is_centred: bool

    def __call__(self, x: Stream) -> Stream:
        """What comes of a part of the input, the bias left out."""
        return self.gain * (x - x.mean(dim=-1, keepdim=True) if self.is_centred else x)


def frozen(norm: nn.Module | None, x: Stream) -> Frozen:
    """A norm as it is for ``x``, found out by calling it; without a norm, the identity."""
    zero = x.new_zeros(x.shape[-1])
    if norm is None:
        return Frozen(torch.ones_like(x), zero, is_centred=False)
    with torch.no_grad(), exactly_float64():
        out, bias = norm(x), norm(zero)
        is_centred = torch.allclose(norm(x + 1.0), out, rtol=0, atol=1e-9)
    given = x - x.mean(dim=-1, keepdim=True) if is_centred else x
    return Frozen((out - bias) / given, bias, is_centred)


def stream_parts(model: PreTrainedModel, tokens: Tokens) -> StreamParts:
    """The parts that the stream is the sum of, wherever it is read."""
    with torch.no_grad():
        run = recorded(model, tokens)
    places = places_of(model)
    parts: dict[str, Stream] = {"input": run.resid_pre[0]}
    attn_reads, mlp_reads = [], []
    for layer, block in enumerate(places.blocks):
        before = dict(parts)  # what a block's MLP reads beside its attention
        attn_reads.append(before)
        parts = _through(parts, block, "before_attn", layer, run.attn_reads[layer])
        parts |= dict(_of_attention(places, run, layer))
        parts = _through(parts, block, "after_attn", layer, _total(parts))
        mlp_reads.append(before if block.parallel else dict(parts))
        parts = _through(parts, block, "before_mlp", layer, run.mlp_reads[layer])
        parts |= {f"m{layer}": run.mlp_out[layer]}
        parts = _through(parts, block, "after_mlp", layer, _total(parts))
    return StreamParts(tuple(attn_reads), tuple(mlp_reads), parts)


def _total(parts: Parts) -> Stream:
    return torch.stack(list(parts.values())).sum(dim=0)


def _through(
    parts: dict[str, Stream], block: Block, where: str, layer: int, stream: Stream
) -> dict[str, Stream]:
    """Parts after the whole stream has gone through a norm, if there is one there."""
    norms = {str(name): norm for name, norm in block.stream_norms.items()}
    if where not in norms:
        return parts
    as_it_is = frozen(norms[where], stream)
    passed = {name: as_it_is(part) for name, part in parts.items()}
    return passed | {f"n{layer}.{where}": as_it_is.bias.expand_as(stream)}


def _of_attention(places: Places, run: Recording, layer: int) -> Iterator[tuple[str, Stream]]:
    block = places.blocks[layer]
    after = frozen(block.attn_after, run.attn_raw[layer])
    for head, write in enumerate(head_writes(places, layer, run.z[layer])):
        yield f"a{layer}.h{head}", after(write) * block.multiplier
    bias = getattr(block.o, "bias", None)
    own = run.attn_raw[layer].new_zeros(()) if bias is None else bias
    bias_out = after(own.expand_as(run.attn_raw[layer])) + after.bias
    yield f"a{layer}.bias", bias_out * block.multiplier


def head_writes(
    places: Places, layer: int, z: Float[Tensor, "*batch heads"]
) -> Float[Tensor, "head *batch d_model"]:
    """What each head's z becomes by its rows of the output projection, no bias added."""
    out = places.blocks[layer].o
    weight = out.weight
    assert isinstance(weight, Tensor)
    W_O = weight if type(out).__name__ == "Conv1D" else weight.T
    by_head = W_O.view(places.n_heads, places.d_head, -1)
    return torch.einsum("...hk,hkd->h...d", z.unflatten(-1, by_head.shape[:2]), by_head)


def direct_attribution(
    model: PreTrainedModel, tokens: Tokens, right: int, wrong: int
) -> dict[str, Float[Tensor, " batch"]]:
    """What each part adds to logit(right) - logit(wrong) at the last position.

    The final norm is taken as it is in this run, and the logits as they are before any soft cap.
    ``bias`` is the share of the final norm's bias and of the logits'; all shares, those of the
    stream's biases among them, add up to the difference.
    """
    parts = stream_parts(model, tokens).final
    final_norm = places_of(model).final_norm
    as_it_is = frozen(final_norm, _total(parts)[:, -1])
    passed = torch.stack([as_it_is(part[:, -1]) for part in parts.values()])
    constant = as_it_is.bias.expand(1, len(tokens), -1)
    nothing = torch.zeros_like(constant)
    read = uncapped_logits(model, torch.cat([passed, constant, nothing]))
    differences = read[..., right] - read[..., wrong]
    at_zero = differences[-1]
    shares = dict(zip(parts, differences[:-2] - at_zero, strict=True))
    return {**shares, "bias": differences[-2]}


def uncapped_logits(
    model: PreTrainedModel, normed: Float[Tensor, "*batch d_model"]
) -> Float[Tensor, "*batch d_vocab"]:
    """The logits, before any soft cap, where the final norm gives these, or the last block where
    there is no final norm.
    """
    places = places_of(model)
    flat = normed.reshape(-1, 1, normed.shape[-1])
    tokens = torch.zeros(len(flat), 1, dtype=torch.int64)
    last = places.final_norm or places.blocks[-1].whole
    cap = getattr(model.config, "final_logit_softcapping", None)
    try:
        if cap is not None:
            model.config.final_logit_softcapping = None
        with torch.no_grad():
            logits = logits_of(model, tokens, [Hook(last, "output", lambda _: flat)])
    finally:
        if cap is not None:
            model.config.final_logit_softcapping = cap
    return logits.view(*normed.shape[:-1], -1)
