"""A step comes to the same bits with any number of threads, for every task."""

import pytest
import torch

from mitool import tasks
from mitool.core.device import HOST, Device
from mitool.training import RunConfig
from mitool.training.transformers import TransformerLearner


@pytest.mark.parametrize("name", tasks.names())
def test_bits_are_the_same_on_any_number_of_threads(name: str) -> None:
    task = tasks.get(name)
    config = RunConfig(task(), task.model, task.training, Device("cpu", threads=4))
    learner = TransformerLearner(config)
    gradients = []
    for threads in (1, 2, 3, 4):
        with config.device.with_threads(threads):
            gradients.append(learner.gradients(0, 0, HOST, torch.float32))
    for other in gradients[1:]:
        for tensor, value in gradients[0].items():
            assert torch.equal(other[tensor], value), tensor
