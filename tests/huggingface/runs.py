"""Runs of a Hugging Face model, watched and changed by plain hooks on its own modules."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from tests.huggingface.exactness import exactly_float64
from tests.huggingface.places import PROJECTIONS, Block, Places, Projection, places_of

Tokens = Int[Tensor, "batch pos"]
Stream = Float[Tensor, "batch pos d_model"]
Logits = Float[Tensor, "batch pos d_vocab"]
Site = Literal["z", "attn_out", "mlp_out", "resid_pre", "resid_post"]


@dataclass(frozen=True)
class Hook:
    """What is done to one module's first input, or first output, in a run.

    Attributes:
        change: what takes its place; None leaves it.
    """

    module: nn.Module
    on: Literal["input", "output"]
    change: Callable[[Tensor], Tensor | None]


@dataclass(frozen=True)
class Recording:
    """The tensors of one run, part of its graph if gradients are on; each by layer.

    Attributes:
        resid_pre: the residual stream before the block.
        attn_reads: the stream that the attention reads, before any norm.
        projected: the outputs of the modules that make queries, keys and values, one tensor for
            each module, all heads side by side.
        z: the input of the output projection, all heads side by side.
        attn_raw: the output of the output projection.
        attn_out: what is added to the stream: after any norm, and times any multiplier.
        mlp_reads: the stream that the MLP reads, before any norm; some code flattens it.
        mlp_raw: what the MLP itself returns; some code flattens it.
        mlp_out: what is added to the stream, likewise.
        resid_post: the stream after the block.
        logits: those of every position.
    """

    resid_pre: list[Stream]
    attn_reads: list[Stream]
    projected: list[dict[Projection, Float[Tensor, "batch pos columns"]]]
    z: list[Float[Tensor, "batch pos heads"]]
    attn_raw: list[Stream]
    attn_out: list[Stream]
    mlp_reads: list[Float[Tensor, "*batch d_model"]]
    mlp_raw: list[Float[Tensor, "*batch d_model"]]
    mlp_out: list[Stream]
    resid_post: list[Stream]
    logits: Logits


@dataclass(frozen=True)
class Activations:
    """What a run's parts hold.

    Attributes:
        resid_pre: the residual stream before each block.
        resid_post: the stream after each block.
        q: the queries of each head as they are projected: before any norm, clip or rotation.
        k: the keys likewise, of as many heads as have keys of their own.
        v: the values likewise.
        z: what each head reads off its values, before the output projection.
        attn_out: what the attention adds to the stream.
        mlp_out: what the MLP adds to the stream.
        logits: those of every position.
    """

    resid_pre: Float[Tensor, "layer batch pos d_model"]
    resid_post: Float[Tensor, "layer batch pos d_model"]
    q: Float[Tensor, "layer batch pos head d_head"]
    k: Float[Tensor, "layer batch pos kv_head d_head"]
    v: Float[Tensor, "layer batch pos kv_head d_head"]
    z: Float[Tensor, "layer batch pos head d_head"]
    attn_out: Float[Tensor, "layer batch pos d_model"]
    mlp_out: Float[Tensor, "layer batch pos d_model"]
    logits: Logits


def logits_of(model: PreTrainedModel, tokens: Tokens, hooks: Sequence[Hook] = ()) -> Logits:
    """The logits of a run in float64, with hooks in place."""
    with exactly_float64(), attached(hooks):
        return model(tokens, use_cache=False).logits


def activations(model: PreTrainedModel, tokens: Tokens) -> Activations:
    """What each part of a model holds as it reads the tokens."""
    with torch.no_grad():
        run = recorded(model, tokens)
    places = places_of(model)

    def heads(name: Projection) -> Tensor:
        columns = [block.columns[name] for block in places.blocks]
        return torch.stack(
            [own[name][..., cut] for own, cut in zip(run.projected, columns, strict=True)]
        )

    return Activations(
        resid_pre=torch.stack(run.resid_pre),
        resid_post=torch.stack(run.resid_post),
        q=heads("q"),
        k=heads("k"),
        v=heads("v"),
        z=torch.stack(run.z).unflatten(-1, (places.n_heads, places.d_head)),
        attn_out=torch.stack(run.attn_out),
        mlp_out=torch.stack(run.mlp_out),
        logits=run.logits,
    )


def patched_logits(
    model: PreTrainedModel,
    tokens: Tokens,
    layer: int,
    site: Site,
    value: Tensor,
    head: int | None = None,
    position: int | None = None,
) -> Logits:
    """The logits where a part of the run holds another value.

    Args:
        site: which part; ``z`` is every head's, side by side, or that of one head.
        value: of the shape of what it takes the place of, or one that is broadcast to it.
        head: of ``z``, the head; left out, all.
        position: left out, all.
    """
    places = places_of(model)
    block = places.blocks[layer]
    module, on = site_of(block, site)
    scale = block.multiplier if site in ("attn_out", "mlp_out") else 1.0
    columns = slice(None)
    if head is not None:
        assert site == "z", "only z is told apart by heads"
        columns = slice(head * places.d_head, (head + 1) * places.d_head)
    at = slice(None) if position is None else position

    def change(x: Tensor) -> Tensor:
        changed = x.clone().view(*tokens.shape, -1)  # some code flattens batches before the MLP
        changed[:, at, columns] = value / scale
        return changed.view(x.shape)

    with torch.no_grad():
        return logits_of(model, tokens, [Hook(module, on, change)])


def site_of(block: Block, site: Site) -> tuple[nn.Module, Literal["input", "output"]]:
    """The module whose input or output a site is, but for a multiplier."""
    if site == "z":
        return block.o, "input"
    if site == "attn_out":
        return block.attn_after or block.o, "output"
    if site == "mlp_out":
        return block.mlp_after or block.mlp, "output"
    return block.whole, "input" if site == "resid_pre" else "output"


def recorded(model: PreTrainedModel, tokens: Tokens, hooks: Sequence[Hook] = ()) -> Recording:
    """A run in float64 whose tensors are kept; the given hooks act before."""
    places = places_of(model)
    kept: list[dict[str, Tensor]] = [{} for _ in places.blocks]
    watching = [
        hook
        for block, own in zip(places.blocks, kept, strict=True)
        for hook in _watching(block, own)
    ]
    logits = logits_of(model, tokens, [*hooks, *watching])
    return _recording(places, kept, tokens, logits)


def _watching(block: Block, kept: dict[str, Tensor]) -> Iterator[Hook]:
    inputs = {"resid_pre": block.whole, "z": block.o}
    inputs |= {"attn_reads": block.attn_reads, "mlp_reads": block.mlp_reads}
    outputs: dict[str, nn.Module | None] = {"attn_raw": block.o, "attn_after": block.attn_after}
    outputs |= {"mlp_raw": block.mlp, "mlp_after": block.mlp_after, "resid_post": block.whole}
    outputs |= {"q": block.q}
    if block.k is not block.q:
        outputs |= {"k": block.k, "v": block.v}
    for name, module in inputs.items():
        yield Hook(module, "input", _keeping(kept, name))
    for name, found in outputs.items():
        if found is not None:
            yield Hook(found, "output", _keeping(kept, name))


def _keeping(kept: dict[str, Tensor], name: str) -> Callable[[Tensor], Tensor]:
    def keep(x: Tensor) -> Tensor:
        kept[name] = x
        return x.clone()  # some code changes it in place

    return keep


def _recording(
    places: Places, kept: list[dict[str, Tensor]], tokens: Tokens, logits: Logits
) -> Recording:
    def by_layer(name: str) -> list[Tensor]:
        return [own[name] for own in kept]  # as they are in the graph, not views of them

    def written(raw: str, after: str) -> list[Tensor]:
        pairs = zip(places.blocks, kept, strict=True)
        whole = [own.get(after, own[raw]) * block.multiplier for block, own in pairs]
        return [x.view(*tokens.shape, -1) for x in whole]

    return Recording(
        resid_pre=by_layer("resid_pre"),
        attn_reads=by_layer("attn_reads"),
        projected=[{name: own.get(name, own["q"]) for name in PROJECTIONS} for own in kept],
        z=by_layer("z"),
        attn_raw=by_layer("attn_raw"),
        attn_out=written("attn_raw", "attn_after"),
        mlp_reads=by_layer("mlp_reads"),
        mlp_raw=by_layer("mlp_raw"),
        mlp_out=written("mlp_raw", "mlp_after"),
        resid_post=by_layer("resid_post"),
        logits=logits,
    )


@contextmanager
def attached(hooks: Sequence[Hook]) -> Iterator[None]:
    """Hooks that are there for a while."""
    handles = [_attach(hook) for hook in hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attach(hook: Hook) -> RemovableHandle:
    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            found = hook.change(args[0])
            return None if found is None else ((found, *args[1:]), kwargs)
        found = hook.change(kwargs["hidden_states"])
        return None if found is None else (args, {**kwargs, "hidden_states": found})

    def after(_: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        found = hook.change(output[0] if isinstance(output, tuple) else output)
        if found is None or not isinstance(output, tuple):
            return found
        return (found, *output[1:])

    if hook.on == "input":
        return hook.module.register_forward_pre_hook(before, with_kwargs=True)
    return hook.module.register_forward_hook(after)
