"""What a toy transformer does at one position: its logits, attention and neurons, in one pass.

It reads the training engine's own forward pass, which is several times faster than a bridge's
where tens of thousands of examples and hundreds of checkpoints are looked at.
"""

import contextlib
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.models.inputs import prepare
from mitool.models.transformer import Block, ToyTransformer


@dataclass(frozen=True)
class Recording:
    """Activations at one position of each example.

    Attributes:
        logits: the model's output there.
        neurons: the last MLP's activations (``hook_post``); None in an attention-only model.
        patterns: for each layer, attention from there (``hook_pattern``).
    """

    logits: Float[Tensor, "example d_vocab_out"]
    neurons: Float[Tensor, "example d_mlp"] | None
    patterns: list[Float[Tensor, "example head key"]]


@torch.no_grad()
def record(model: ToyTransformer, tokens: Int[Tensor, "example pos"], position: int) -> Recording:
    """Run the model on ``tokens`` and record what it does at ``position``."""
    blocks = cast("list[Block]", list(model.blocks))
    places = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    read = [blocks[0].ln1(model.embedded(tokens, places))]
    neurons: list[Tensor] = []
    with contextlib.ExitStack() as hooks:
        for block in blocks[1:]:
            hook = block.attn.register_forward_pre_hook(lambda _, args: read.append(args[0]))
            hooks.callback(hook.remove)
        if blocks[-1].mlp is not None:
            post = blocks[-1].mlp.hook_post
            hook = post.register_forward_hook(lambda _, _args, output: neurons.append(output))
            hooks.callback(hook.remove)
        logits = model(prepare(tokens, (position,)))[:, 0]
    patterns = [
        block.attn.pattern(x, (position,))[:, :, 0] for block, x in zip(blocks, read, strict=True)
    ]
    return Recording(logits, neurons[0] if neurons else None, patterns)


@torch.no_grad()
def logits_with_neurons(
    model: ToyTransformer,
    tokens: Int[Tensor, "example pos"],
    position: int,
    neurons: Float[Tensor, "example d_mlp"],
) -> Float[Tensor, "example d_vocab_out"]:
    """Logits at ``position`` with the last MLP's activations there replaced by ``neurons``."""
    mlp = cast(Block, model.blocks[-1]).mlp
    assert mlp is not None, "an attention-only model has no neurons"
    hook = mlp.hook_post.register_forward_hook(lambda *_: neurons)
    try:
        return model(prepare(tokens, (position,)))[:, 0]
    finally:
        hook.remove()
