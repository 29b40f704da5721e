"""Heads on one-token contexts: what they score and write for tokens by themselves."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

from tests.huggingface.exactness import SOFTMAXES, exactly_float64
from tests.huggingface.parts import frozen, head_writes
from tests.huggingface.places import Places, places_of
from tests.huggingface.runs import Hook, Recording, attached, recorded

NO_POSITION_IDS = ("bloom", "mpt")
"""Architectures whose attention only knows of positions by biases, which are taken off."""

TAKEN_OFF = ("alibi", "position_bias", "attention_mask")
"""What is added to scores by position; two tokens at one position would be taken for two texts."""


def one_token_scores(
    model: PreTrainedModel, layer: int
) -> Float[Tensor, "head query_token key_token"]:
    """Each head's attention score between two tokens, each alone in the stream at position 0.

    The stream that the layer reads holds a token's embedding, as it comes to the first block but
    for a learned embedding of positions, and through the norms that the stream itself goes through
    before the layer. Scores are those that go into the softmax: scaled,
    after any norm of queries and keys and any soft cap, without sinks and biases of distance.
    """
    places, n = places_of(model), n_tokens(model)
    query, key = torch.cartesian_prod(torch.arange(n), torch.arange(n)).unbind(1)
    tokens = torch.stack([key, query], dim=1)
    at_zero = {} if model.config.model_type in NO_POSITION_IDS else {"position_ids": tokens * 0}
    seen: list[Tensor] = []
    with torch.no_grad(), _embeddings_at(model, places, layer), _scores(places, layer, seen):
        with exactly_float64():
            model(tokens, use_cache=False, **at_zero)
    scores = seen[0].view(n * n, places.n_heads, 2, -1)
    sinks = _sinks(places, layer)
    if sinks is not None:  # scores and sinks less the largest of them
        shift = sinks[:, None, None] - scores[..., -1:]
        scores = scores[..., :-1] + shift
    return scores[:, :, 1, 0].T.view(places.n_heads, n, n)


def one_token_writes(model: PreTrainedModel, layer: int) -> Float[Tensor, "head token d_model"]:
    """What each head writes for a token, alone in the stream, that attends to itself only.

    The stream is that of ``one_token_scores``. Writes are what z becomes by W_O, by the norm after
    attention as it is in that context, and by any multiplier, with no biases.
    """
    places, run = places_of(model), _alone(model, layer)
    block = places.blocks[layer]
    after = frozen(block.attn_after, run.attn_raw[layer])
    writes = [after(write) for write in head_writes(places, layer, run.z[layer])]
    return torch.stack(writes)[:, :, 0] * block.multiplier


def scale_after_attention(model: PreTrainedModel, layer: int) -> Float[Tensor, "token 1"]:
    """The root of the mean square that a norm after attention divides by there; else 1."""
    written = _alone(model, layer).attn_raw[layer][:, 0]
    norm = places_of(model).blocks[layer].attn_after
    if norm is None:
        return torch.ones_like(written[:, :1])
    eps = float(getattr(norm, "eps", None) or getattr(norm, "variance_epsilon", None) or 0.0)
    return (written.square().mean(dim=-1, keepdim=True) + eps).sqrt()


def _alone(model: PreTrainedModel, layer: int) -> Recording:
    """Runs over each token alone, which attends to itself only."""
    places, tokens = places_of(model), torch.arange(n_tokens(model))[:, None]
    with torch.no_grad(), _embeddings_at(model, places, layer), _no_sinks(places, layer):
        return recorded(model, tokens)


def n_tokens(model: PreTrainedModel) -> int:
    """How many tokens a model embeds."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return len(weight)


def _sinks(places: Places, layer: int) -> Float[Tensor, " head"] | None:
    sinks = getattr(places.blocks[layer].attn, "sinks", None)
    assert sinks is None or isinstance(sinks, Tensor)
    return sinks


@contextmanager
def _embeddings_at(model: PreTrainedModel, places: Places, layer: int) -> Iterator[None]:
    """The stream before a layer is that before the first, without learned positions and all that
    blocks write, after the norms that the stream itself goes through.
    """
    held: list[Tensor] = []

    def arriving(_: Tensor) -> Tensor:
        stream = held[-1].clone()
        for block in places.blocks[:layer]:
            for norm in block.stream_norms.values():
                stream = norm(stream)
        return stream

    hooks = [
        Hook(places.blocks[0].whole, "input", lambda x: held.append(x)),
        Hook(places.blocks[layer].whole, "input", arriving),
    ]
    if places.positions is not None:
        hooks.append(Hook(places.positions, "output", torch.zeros_like))
    with attached(hooks):
        yield


@contextmanager
def _no_sinks(places: Places, layer: int) -> Iterator[None]:
    sinks = _sinks(places, layer)
    if sinks is None:
        yield
        return
    kept = sinks.detach().clone()
    try:
        sinks.fill_(-1e30)
        yield
    finally:
        sinks.copy_(kept)


@contextmanager
def _scores(places: Places, layer: int, seen: list[Tensor]) -> Iterator[None]:
    """What goes into the softmax of a layer's attention is kept in ``seen``."""
    attn, mode = places.blocks[layer].attn, _Softmaxes(seen)

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        mode.is_on = True
        without = {
            name: torch.zeros_like(x)
            for name, x in kwargs.items()
            if name in TAKEN_OFF and x is not None
        }
        return args, {**kwargs, **without}

    def after(*_: Any) -> None:
        mode.is_on = False

    handles = [
        attn.register_forward_pre_hook(before, with_kwargs=True),
        attn.register_forward_hook(after),
    ]
    try:
        with mode:
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Softmaxes(TorchFunctionMode):
    """Keeps what softmax is called with, while it is on."""

    def __init__(self, seen: list[Tensor]) -> None:
        super().__init__()
        self.seen, self.is_on = seen, False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if self.is_on and func in SOFTMAXES:
            self.seen.append(args[0])
        return func(*args, **(kwargs or {}))
