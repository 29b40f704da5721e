"""Metrics for TensorBoard, an optional extra."""

from pathlib import Path

from mitool.core.errors import UsageError
from mitool.storage import layout
from mitool.training.metrics import Evaluation


class TensorBoardLog:
    """Writes each evaluation of a run to ``folder/tensorboard``; an ``Observer``."""

    def __init__(self, folder: Path) -> None:
        """Prepare to log.

        Raises:
            UsageError: TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UsageError(
                "--tensorboard needs the tensorboard package: pip install 'mitool[tensorboard]'"
            ) from None
        self._folder = folder / layout.TENSORBOARD
        self._make_writer = SummaryWriter
        self._writer: SummaryWriter | None = None

    def epoch_done(self, epoch: int) -> None:
        """Nothing is logged between evaluations."""

    def evaluated(self, evaluation: Evaluation) -> None:
        self._writer = self._writer or self._make_writer(self._folder)
        values = {
            "loss/train": evaluation.train_loss,
            "loss/test": evaluation.test_loss,
            "accuracy/train": evaluation.train_accuracy,
            "accuracy/test": evaluation.test_accuracy,
        } | {f"norm/{name}": norm for name, norm in evaluation.weight_norms.items()}
        for name, value in values.items():
            self._writer.add_scalar(name, value, evaluation.epoch)
        self._writer.flush()
