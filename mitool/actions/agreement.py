"""The first prompts of a study, held against the CPU on a device that is doubted."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.analysis.interventions.material import GivenPairs
from mitool.core.agreement import require_agreement
from mitool.core.device import Device, generator
from mitool.models.subject import Studied, Subject
from mitool.pairs.files import read_pairs
from mitool.pairs.tokens import both_of

FIRST = 4
"""Pairs, or examples of a task, that are tried."""


def require_same_outputs(subject: Studied, pairs: GivenPairs, seed: int, device: Device) -> None:
    """Check that a model's logits and gradients on a study's first prompts are the CPU's.

    Nothing is computed unless the device is doubted; then by a copy of the model.

    Args:
        pairs: what is studied; None for the task's own.
        seed: of the examples that are drawn from the task.

    Raises:
        RunError: they are not.
    """
    if device.is_doubted:
        compute = partial(outputs, subject, _first_prompts(subject, pairs, seed))
        require_agreement(device, compute, "the model's outputs on the first prompts")


def outputs(
    subject: Studied,
    prompts: Sequence[Int[Tensor, " pos"]],
    device: torch.device,
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    """Logits of each prompt, and the gradient of the embedding for the mean of their squares."""
    logits_of, embedding = _copied(subject, device, dtype)
    embedding.requires_grad_()
    found: dict[str, Tensor] = {}
    for number, prompt in enumerate(prompts, start=1):
        logits = logits_of(prompt[None].to(device))
        logits.square().mean().backward()
        found[f"the output on prompt {number}"] = logits.detach()
    assert embedding.grad is not None
    return found | {"the gradient of the embedding": embedding.grad}


def _copied(
    subject: Studied, device: torch.device, dtype: torch.dtype
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """What gives a copy's logits of tokens on a device, and the copy's embedding."""
    if isinstance(subject, Subject):
        toy = copy.deepcopy(subject.model).to(device, dtype)
        return toy.logits, toy.embed.W_E
    model: Any = copy.deepcopy(subject.model)
    model.to(device, dtype)
    embedding: Tensor = model.get_input_embeddings().weight
    return lambda tokens: model(tokens, use_cache=False).logits, embedding


def _first_prompts(subject: Studied, pairs: GivenPairs, seed: int) -> list[Int[Tensor, " pos"]]:
    if pairs is None:
        assert isinstance(subject, Subject), "a pretrained model has no task of its own"
        return list(subject.task.sample(FIRST, generator(seed, "agreement")).tokens)
    chosen = (read_pairs(pairs) if isinstance(pairs, Path) else pairs)[:FIRST]
    return [prompt for pair in chosen for prompt in both_of(subject, pair)]
