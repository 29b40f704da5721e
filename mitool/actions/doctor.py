"""What a device computes otherwise than the CPU."""

import torch

from mitool.core.agreement import disagreements
from mitool.core.device import Device
from mitool.core.errors import said
from mitool.core.operators import wrong_operators
from mitool.settings import ModelSettings
from mitool.tasks.modadd import ModAdd
from mitool.training import RunConfig
from mitool.training.transformers import TransformerLearner

TASK = ModAdd(p=11)
MODEL = ModelSettings(
    n_layers=2, n_heads=2, d_model=32, act_fn="gelu", normalization_type="LN", biases="all"
)
"""A toy that is tried: of two layers, with norms and biases."""


def faults(name: str) -> list[str]:
    """What is wrong with a device, in words; nothing where all is right.

    Torch's operators are tried on operands of every layout, and then the loss and the gradients of
    a toy transformer's first step.
    """
    device = Device(name)
    with torch.enable_grad():
        wrong = wrong_operators(device.torch_device)
        if device.is_host:
            return wrong
        try:
            learner = TransformerLearner(RunConfig(TASK, MODEL, TASK.training, device))
            step = disagreements(device, lambda place, dtype: learner.gradients(0, 0, place, dtype))
        except RuntimeError as failure:  # how torch says that a device lacks an operator
            return [*wrong, f"a toy transformer cannot be computed ({said(failure)})"]
    return [*wrong, *(f"in a toy transformer {found}" for found in step)]
