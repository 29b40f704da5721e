"""Optimisers and their learning rate."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from mitool.settings import TrainingSettings


def make_optimizer(
    parameters: Iterable[Tensor], settings: TrainingSettings, *, capturable: bool = False
) -> torch.optim.Optimizer:
    """The optimiser that the settings name, in its fused form.

    Args:
        capturable: whether its step will be captured in a CUDA graph; its learning rate is then
            a tensor. SGD cannot be.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    lr: float | Tensor = settings.lr
    if capturable:
        lr = torch.tensor(settings.lr, device=trained[0].device)  # a graph would fix a float
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            trained,
            lr=lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            fused=True,
        )
    cls = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return cls(
        trained,
        lr=lr,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=True,
        capturable=capturable,
    )


def learning_rate(settings: TrainingSettings, step: int, n_steps: int) -> float:
    """The learning rate of step 0, 1, .., of ``n_steps``: rising linearly from 0 over ``warmup``
    steps, then as ``schedule`` says.
    """
    if step < settings.warmup:
        return settings.lr * step / settings.warmup
    left = 1 - (step - settings.warmup) / max(n_steps - settings.warmup, 1)
    match settings.schedule:
        case "linear":
            return settings.lr * left
        case "cosine":
            return settings.lr * (1 - math.cos(math.pi * left)) / 2
    return settings.lr
