"""The captured step, where there is a CUDA device."""

from pathlib import Path

import pytest
import torch

from mitool.core.device import available, generator, resolve
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.settings import TrainingSettings
from mitool.tasks.modadd import ModAdd
from mitool.training import RunConfig, train
from mitool.training.data import TrainingData
from mitool.training.optimizers import make_optimizer
from mitool.training.step import CapturedStep, TrainStep

pytestmark = pytest.mark.skipif("cuda:0" not in available(), reason="there is no CUDA device")

TASK = ModAdd(p=23)


@pytest.mark.parametrize("warmup", [0, 10])
def test_a_captured_step_is_the_plain_step(warmup: int) -> None:
    settings = TrainingSettings(warmup=warmup)
    device = resolve("cuda")
    batch = TrainingData(TASK, settings, 0, 0, device).full_batch
    assert batch is not None
    losses = []
    for captured in (False, True):
        model = ToyTransformer(TransformerConfig.for_task(TASK.model, TASK))
        model.initialise(generator(0, "init")).to(device.torch_device)
        optimizer = make_optimizer(model.parameters(), settings, capturable=captured)
        step = (
            CapturedStep(model, optimizer, settings, 100, batch)
            if captured
            else TrainStep(model, optimizer, settings, 100)
        )
        losses.append([step(batch).item() for _ in range(30)])
    assert torch.allclose(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=1e-4)


def test_a_run_on_cuda_learns_the_training_set(tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=300, checkpoint_every=0)
    result = train(RunConfig(TASK, TASK.model, settings, resolve("cuda")), tmp_path)
    assert result.claims["train_accuracy"] == 1.0
