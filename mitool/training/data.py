"""The batches of a run, each found from the seed and the epoch alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.core.device import Device, generator
from mitool.core.errors import UsageError
from mitool.models.inputs import Inputs, prepare
from mitool.settings import TrainingSettings
from mitool.tasks import Examples, Split, Task

EVALUATION_BATCH = 2**14
EVALUATION_LOGITS = 2**24
"""Examples, and logits, that are evaluated at a time, which bounds the memory it takes."""


@dataclass(frozen=True)
class Batch:
    """Examples on the device, prepared for the model."""

    inputs: Inputs
    targets: Int[Tensor, "example answer"]

    @property
    def examples(self) -> Examples:
        """The examples as the task gave them."""
        return Examples(self.inputs.row_tokens[self.inputs.index], self.targets)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, chosen: Int[Tensor, " chosen"]) -> "Batch":
        return Batch(self.inputs[chosen], self.targets[chosen])


class TrainingData:
    """A task's examples, divided into training and test.

    Attributes:
        split: how they are divided; None where the task is a stream.
        train: all training examples; None where the task is a stream.
        test: the test examples, in batches for evaluation.
    """

    def __init__(
        self, task: Task, settings: TrainingSettings, seed: int, split_seed: int, device: Device
    ) -> None:
        self.task = task
        self.seed = seed
        self.device = device
        self.batch_size = settings.batch_size
        self.split: Split | None = task.split(split_seed)
        self.train: Batch | None = None
        if self.split is None:
            if self.batch_size is None:
                raise UsageError(
                    f"task {task.name} is a stream of fresh examples: give the examples per step "
                    "with --batch-size"
                )
            held_out = held_out_sample(task, settings.eval_size, seed)
        else:
            examples = task.examples()
            train, test = self.split.indices(len(examples))
            self.train = prepare_batch(task, examples[train], device)
            held_out = examples[test]
            self._train_evaluation = (
                evaluation_batches(task, examples[train], device)
                if len(train) > _evaluation_size(task)
                else [self.train]
            )
        self.test = evaluation_batches(task, held_out, device)

    @property
    def full_batch(self) -> Batch | None:
        """The one batch that every step repeats, if it does."""
        if self.train is None or (self.batch_size or len(self.train)) < len(self.train):
            return None
        return self.train

    @property
    def steps_per_epoch(self) -> int:
        if self.train is None or self.full_batch is not None:
            return 1
        assert self.batch_size is not None
        return -(-len(self.train) // self.batch_size)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of epoch 0, 1, .."""
        if self.full_batch is not None:
            yield self.full_batch
        elif self.train is None:
            yield self._fresh(epoch)
        else:
            assert self.batch_size is not None
            order = torch.randperm(len(self.train), generator=generator(self.seed, "order", epoch))
            for chosen in order.to(self.device.torch_device).split(self.batch_size):
                yield self.train[chosen]

    def train_evaluation(self, epoch: int) -> list[Batch]:
        """What the training metrics of an epoch are measured on: the training examples, or,
        for a stream, the batch that is about to be trained on.
        """
        return self._train_evaluation if self.train is not None else [self._fresh(epoch)]

    def _fresh(self, epoch: int) -> Batch:
        assert self.batch_size is not None
        fresh = self.task.sample(self.batch_size, generator(self.seed, "batch", epoch))
        return prepare_batch(self.task, fresh, self.device)


def prepare_batch(task: Task, examples: Examples, device: Device) -> Batch:
    """Move examples to the device and prepare them for the model."""
    tokens = examples.tokens.to(device.torch_device)
    targets = examples.targets.to(device.torch_device)
    return Batch(prepare(tokens, task.answer_positions), targets)


def evaluation_batches(task: Task, examples: Examples, device: Device) -> list[Batch]:
    """Examples in batches of a size that evaluation has the memory for."""
    chunks = torch.arange(len(examples)).split(_evaluation_size(task))
    return [prepare_batch(task, examples[chunk], device) for chunk in chunks]


def held_out_sample(task: Task, size: int, seed: int) -> Examples:
    """The examples on which a model of a stream task is tested."""
    return task.sample(size, generator(seed, "test"))


def _evaluation_size(task: Task) -> int:
    logits = task.d_vocab_out * len(task.answer_positions)
    return min(EVALUATION_BATCH, max(1, EVALUATION_LOGITS // logits))
