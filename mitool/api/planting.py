"""Models whose circuit is known because it was set by hand."""

from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from mitool.api.asking import request_of
from mitool.api.calls import called
from mitool.api.keywords import takes
from mitool.api.model import Model

if TYPE_CHECKING:
    from mitool.planted.base import Planted


@takes()
def plant(
    name: str, *, out: str | PathLike[str] | None = None, overwrite: bool = False
) -> "PlantedModel":
    """Write a toy model whose circuit is known, with pairs that show it and its true edges.

    Args:
        name: copy, min, induction, xor, and, decoy, backup or trig.
        out: the folder; left out, one in ``runs/``.
        overwrite: replace the run that the folder holds.

    Raises:
        UsageError: there is no such model, or the folder cannot be used.
    """
    from mitool import planted
    from mitool.actions.planting import plant as write

    again = called("mitool.plant", name)
    request = request_of("plant", again, out=out, overwrite=overwrite)
    model = planted.plant(name)
    return PlantedModel(model, write(request, name).folder)


class PlantedModel(Model):
    """A model whose circuit is known.

    Attributes:
        folder: the run.
        truth: the edges that carry what the answer depends on.
        pairs_file: clean and corrupted inputs that show them, for ``pairs``.
        truth_file: the edges, for ``truth``.
    """

    def __init__(self, planted: "Planted", folder: Path) -> None:
        from mitool.models.subject import load
        from mitool.planted.base import PAIRS, TRUTH

        super().__init__(str(folder), partial(load, folder))
        self.folder = folder
        self.truth = planted.truth
        self.pairs_file, self.truth_file = folder / PAIRS, folder / TRUTH
        self._about = planted.summary

    @property
    def _summary(self) -> str:
        return f"{super()._summary}; planted: {self._about}"
