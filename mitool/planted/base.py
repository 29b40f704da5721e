"""What a planted model is: weights, the circuit that they make, and pairs that show it."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from mitool.core.config import as_dict
from mitool.core.device import generator
from mitool.core.node_names import published
from mitool.core.version import __version__
from mitool.models.transformer import ToyTransformer
from mitool.pairs.files import WORDS
from mitool.pairs.prompt_pairs import PromptPairs
from mitool.storage import atomic, checkpoint, layout
from mitool.storage.checkpoint import Metadata, TaskRecord
from mitool.tasks import Task

N_PAIRS = 96
"""Pairs of every model, or fewer where its task has not inputs enough for so many that share none.
"""

PAIRS = "pairs.csv"
TRUTH = "truth.txt"

Drawn = tuple[
    Int[Tensor, "pair pos"],
    Int[Tensor, "pair pos"],
    Int[Tensor, " pair"],
    Int[Tensor, " pair"],
]
"""Clean inputs, corrupted inputs, and the answers of either."""


@dataclass(frozen=True)
class Planted:
    """A model whose circuit is known because its weights were set by hand.

    Attributes:
        name: as it is asked for.
        summary: what its circuit does, on one line.
        sources: where the construction is from.
        task: what it computes.
        truth: the edges that carry what the answer depends on, such as ``L0H1->MLP1``. An edge
            that carries the same in both inputs of every pair, such as positions to a head that
            looks one token back, is none of them.
        alternatives: heads of which any one alone gives the clean answers.
        build: sets the weights.
        draw: draws pairs with different answers.
    """

    name: str
    summary: str
    sources: tuple[str, ...]
    task: Task
    truth: tuple[str, ...]
    build: Callable[[], ToyTransformer]
    draw: Callable[[int, Generator], Drawn]
    alternatives: tuple[str, ...] = ()

    @cached_property
    def model(self) -> ToyTransformer:
        """The model, in float32."""
        return self.build()

    @cached_property
    def pairs(self) -> PromptPairs:
        """Clean and corrupted inputs of one length, answered at the last token."""
        clean, corrupted, right, wrong = self.draw(N_PAIRS, generator(0, "pairs", self.name))
        at = (clean.shape[1] - 1,)
        index = torch.arange(len(clean))
        return PromptPairs(clean, corrupted, at, right[:, None, None], wrong[:, None, None], index)

    @property
    def metadata(self) -> Metadata:
        """What the checkpoint says of itself: no training of mitool's, but where it came from."""
        return Metadata(
            kind=checkpoint.TRANSFORMER,
            model=as_dict(self.model.cfg),
            task=TaskRecord(self.task.name, as_dict(self.task)),
            training={"planted": {"name": self.name, "sources": list(self.sources)}},
            split=None,
            seed=0,
            step=0,
            epoch=0,
            version=__version__,
        )

    def save(self, folder: Path) -> list[Path]:
        """Write the checkpoint, the pairs and the truth; returns their paths.

        Raises:
            RunError: they cannot be written.
        """
        paths = [folder / name for name in (layout.CHECKPOINT, PAIRS, TRUTH)]
        checkpoint.save(paths[0], self.model.state_dict(), self.metadata)
        atomic.atomic_write(paths[1], self._csv())
        lines = [f"# {self.name}: {self.summary}", *map(published, self.truth)]
        atomic.atomic_write(paths[2], "".join(f"{line}\n" for line in lines))
        return paths

    def _csv(self) -> str:
        """The pairs as ``mitool.pairs.files`` reads them, by the labels of their tokens."""
        labels, pairs, file = self.task.vocabulary, self.pairs, io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("clean", "corrupted", *WORDS))
        answers = (pairs.right[:, 0], pairs.wrong[:, 0])
        rows = (side.tolist() for side in (pairs.clean, pairs.corrupted, *answers))
        for row in zip(*rows, strict=True):
            writer.writerow(" ".join(labels[token] for token in tokens) for tokens in row)
        return file.getvalue()
