"""Weights and optimiser state of a model as one mapping of tensors, and back."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mitool.errors import InputError

WEIGHT = "model/"
STATE = "optimizer/"


def state_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Weights and optimiser state, by names that tell them apart.

    The batches need no state: each is found from the seed and the epoch.
    """
    tensors = {WEIGHT + name: value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"{STATE}{name}/{key}"] = value
    return tensors


def restore_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Put back what ``state_of`` gave.

    Raises:
        InputError: the weights are of another model.
    """
    weights = {k.removeprefix(WEIGHT): v for k, v in tensors.items() if k.startswith(WEIGHT)}
    try:
        model.load_state_dict(weights)
    except RuntimeError as failure:
        raise InputError(f"its weights are of another model: {failure}") from None
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            prefix = f"{STATE}{name}/"
            state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            if state:
                optimizer.state[parameter] = {
                    key: value.to(parameter.device) for key, value in state.items()
                }
