"""The batches of a run, each found from the seed and the epoch alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.device import Device, generator
from mitool.errors import UsageError
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
            held_out = task.sample(settings.eval_size, generator(seed, "test"))
        else:
            examples = task.examples()
            train, test = self.split.indices(len(examples))
            self.train = self.prepare(examples[train])
            held_out = examples[test]
            self._train_evaluation = (
                self._evaluation_batches(examples[train])
                if len(train) > self.evaluation_batch
                else [self.train]
            )
        self.test = self._evaluation_batches(held_out)

    @property
    def evaluation_batch(self) -> int:
        """Examples that are evaluated at a time."""
        logits = self.task.d_vocab_out * len(self.task.answer_positions)
        return min(EVALUATION_BATCH, max(1, EVALUATION_LOGITS // logits))

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

    def prepare(self, examples: Examples) -> Batch:
        """Move examples to the device and prepare them for the model."""
        tokens = examples.tokens.to(self.device.torch_device)
        targets = examples.targets.to(self.device.torch_device)
        return Batch(prepare(tokens, self.task.answer_positions), targets)

    def _fresh(self, epoch: int) -> Batch:
        assert self.batch_size is not None
        return self.prepare(self.task.sample(self.batch_size, generator(self.seed, "batch", epoch)))

    def _evaluation_batches(self, examples: Examples) -> list[Batch]:
        chunks = torch.arange(len(examples)).split(self.evaluation_batch)
        return [self.prepare(examples[chunk]) for chunk in chunks]
