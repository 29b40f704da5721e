"""What a run trains: the model, its data and its optimiser, of whatever kind they are."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from mitool.core.device import Device
from mitool.core.version import __version__
from mitool.storage.checkpoint import Metadata, TaskRecord


@runtime_checkable
class Measured(Protocol):
    """The state of a run after ``epoch`` epochs and ``step`` steps: a line of ``metrics.jsonl``.

    ``seconds`` are those of training so far, evaluation left out.
    """

    @property
    def epoch(self) -> int: ...

    @property
    def step(self) -> int: ...

    @property
    def seconds(self) -> float: ...


E = TypeVar("E", bound=Measured)
Seen = TypeVar("Seen", contravariant=True)


@runtime_checkable
class Observer(Protocol[Seen]):
    """Follows a run while it goes on; its methods are called between steps."""

    def epoch_done(self, epoch: int) -> None: ...

    def evaluated(self, evaluation: Seen) -> None: ...


@runtime_checkable
class Listener(Protocol):
    """An observer that is also told, in words, of what a user is to know of the run."""

    def noted(self, text: str) -> None: ...


class Diverged(Exception):
    """The loss is no finite number."""


class Learner(ABC, Generic[E]):
    """A model that is trained in epochs of ``steps_per_epoch`` steps each.

    All that is random is found from the seed, the epoch and the step, so that weights and
    optimiser state are all that there is to save.

    Attributes:
        kind: what a checkpoint's tensors are.
        evaluation: the type of a measurement.
        n_epochs: how many epochs there are to be.
        eval_every: epochs between measurements.
        also_evaluated: epochs that are measured as well.
        saved_epochs: the epochs of the trajectory.
        device: where it computes.
        advice: what to do if training diverges.
        unit: what its epochs are called.
        spins: whether it computes with threads of torch's, which wait for each other.
    """

    kind: str
    evaluation: type[E]
    n_epochs: int
    eval_every: int
    also_evaluated: frozenset[int] = frozenset()
    saved_epochs: frozenset[int]
    device: Device
    advice: str = "try a lower --lr"
    unit: str = "epoch"
    spins: bool = True

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int: ...

    def place(self, epoch: int, step: int) -> str:
        """How far a run is, in words."""
        return f"step {step}" if self.unit == "step" else f"{self.unit} {epoch} (step {step})"

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """The settings of the run as JSON values, as ``config.json`` holds them: ``task``,
        ``model``, ``training``, ``device`` and ``seed``, and what else decides its weights.
        """

    @abstractmethod
    def require_same(self, saved: dict[str, Any]) -> None:
        """Check that the run of these settings can be gone on with.

        Raises:
            UsageError: a setting differs that decides the weights.
        """

    @abstractmethod
    def begin(self, step: int) -> None:
        """Make ready for the steps from ``step`` on."""

    @abstractmethod
    def gradients(
        self, epoch: int, batch: int, device: torch.device, dtype: torch.dtype
    ) -> Mapping[str, Tensor]:
        """What the next step goes by, its gradients above all, worked out on some device.

        Nothing of the model changes by it.

        Args:
            epoch: epochs done.
            batch: steps done of the next one.
        """

    @abstractmethod
    def train(
        self, epoch: int, batch: int, until: int, stop: Callable[[], bool]
    ) -> tuple[int, int]:
        """Train on, for a while that is short for who waits to interrupt it.

        Args:
            epoch: epochs done.
            batch: steps done of the next one.
            until: the epoch to go to at the most.
            stop: asked between steps whether to return early.

        Returns:
            ``epoch`` and ``batch`` after that.
        """

    @abstractmethod
    def evaluate(self, epoch: int, step: int, seconds: float) -> E:
        """Measure the model.

        Raises:
            Diverged: its loss is no finite number.
        """

    @abstractmethod
    def is_done(self, history: Sequence[E]) -> bool:
        """Whether the last of some measurements is a reason to end before ``n_epochs``."""

    @abstractmethod
    def is_finite(self) -> bool:
        """Whether the weights and the last loss are finite numbers."""

    @abstractmethod
    def weights(self) -> Mapping[str, Tensor]:
        """What a checkpoint holds."""

    def metadata(self, epoch: int, step: int) -> Metadata:
        """What a checkpoint says of itself."""
        record = self.record()
        return Metadata(
            kind=self.kind,
            model=self.model_record(),
            task=TaskRecord(**record["task"]),
            training=record["training"] | record["device"],
            split=self.split_record(),
            seed=record["seed"],
            step=step,
            epoch=epoch,
            version=__version__,
        )

    @abstractmethod
    def model_record(self) -> dict[str, Any]:
        """The configuration of the model, or of all models, as JSON values."""

    def split_record(self) -> dict[str, Any] | None:
        """Which examples train; None where they are drawn anew for each step."""
        return None

    @abstractmethod
    def state(self) -> Mapping[str, Tensor]:
        """Weights and optimiser state."""

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put them back.

        Raises:
            InputError: they are another model's.
        """
