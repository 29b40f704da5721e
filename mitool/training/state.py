"""What a run is resumed from: weights and optimiser state, in one file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mitool.checkpoint import read_tensors, write_tensors
from mitool.errors import InputError
from mitool.models.transformer import ToyTransformer

WEIGHT = "model/"
STATE = "optimizer/"


def save_state(
    path: Path,
    model: ToyTransformer,
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
) -> None:
    """Write weights, optimiser state and ``progress`` (plain values), atomically.

    The batches need no state: each is found from the seed and the epoch.
    """
    tensors = {WEIGHT + name: value for name, value in model.state_dict().items()}
    for name, state in _named_states(model, optimizer):
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{STATE}{name}/{key}"] = value
    write_tensors(path, tensors, progress)


def load_state(
    path: Path, model: ToyTransformer, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """Put weights and optimiser state back, and return the progress that was saved with them.

    Raises:
        InputError: the file is missing, damaged, or of another model.
    """
    if not path.is_file():
        raise InputError(f"{path}: nothing to resume from; train without --resume")
    tensors, progress = read_tensors(path)
    weights = {k.removeprefix(WEIGHT): v for k, v in tensors.items() if k.startswith(WEIGHT)}
    try:
        model.load_state_dict(weights)
    except RuntimeError as failure:
        raise InputError(f"{path}: its weights are of another model: {failure}") from None
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            prefix = f"{STATE}{name}/"
            state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            if state:
                optimizer.state[parameter] = {
                    key: value.to(parameter.device) for key, value in state.items()
                }
    return progress


def _named_states(
    model: ToyTransformer, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, parameter in model.named_parameters():
        if parameter in optimizer.state:
            yield name, optimizer.state[parameter]
