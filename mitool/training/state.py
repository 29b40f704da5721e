"""Weights and optimiser state of a model as one mapping of tensors, and back."""

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mitool.core.errors import InputError

WEIGHT = "model/"
STATE = "optimizer/"

State = Mapping[str, Tensor]
"""What an optimiser keeps of a parameter."""


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
        InputError: the weights, or the optimiser's state, are of another model.
    """
    weights = {k.removeprefix(WEIGHT): v for k, v in tensors.items() if k.startswith(WEIGHT)}
    require_formats(weights, model.state_dict())
    if _shapes(weights) != _shapes(model.state_dict()):
        raise InputError("its weights are of another model")
    states: dict[Tensor, State] = {}
    for name, parameter in model.named_parameters():
        prefix = f"{STATE}{name}/"
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if state:
            states[parameter] = state
    model.load_state_dict(weights)
    restore_optimizer(optimizer, states)


def require_formats(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Check that a saved state is in the number formats of the run.

    Raises:
        InputError: a tensor is not: what was rounded cannot be gone on with to the same bits.
    """
    for name, weight in expected.items():
        if name in found and found[name].dtype != weight.dtype:
            kinds = [str(x.dtype).removeprefix("torch.") for x in (weight, found[name])]
            raise InputError(
                f"{name}: expected {kinds[0]}, as the run was started in, found {kinds[1]}; "
                "what is rounded cannot be gone on with: restore the file, or train again"
            )


def restore_optimizer(optimizer: torch.optim.Optimizer, states: Mapping[Tensor, State]) -> None:
    """Give an optimiser the state of each parameter; none at all where no step has been taken.

    Raises:
        InputError: it is no state of this optimiser.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    kept = _kept(optimizer)
    found = [_shapes(states.get(parameter, {})) for parameter in parameters]
    for parameter, expected in zip(parameters, kept, strict=True):
        require_formats(states.get(parameter, {}), expected)
    if states and (found != [_shapes(state) for state in kept] or len(states) > len(parameters)):
        raise InputError("its optimiser's state is of another model, or of another optimiser")
    for parameter, state in states.items():
        optimizer.state[parameter] = {
            key: value.to(parameter.device) for key, value in state.items()
        }


def _kept(optimizer: torch.optim.Optimizer) -> list[State]:
    """What an optimiser keeps of each parameter once it has taken a step.

    The step is taken by a twin, on copies: ``copy`` loses what an optimiser of other libraries has
    beside groups and state.
    """
    probe = object.__new__(type(optimizer))
    probe.__dict__ = dict(optimizer.__dict__)
    probe.state = defaultdict(dict)
    probe.param_groups = [
        {**group, "params": [p.detach().clone() for p in group["params"]]}
        for group in optimizer.param_groups
    ]
    parameters = [p for group in probe.param_groups for p in group["params"]]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    probe.step()
    return [
        {k: v for k, v in probe.state[parameter].items() if isinstance(v, Tensor)}
        for parameter in parameters
    ]


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
