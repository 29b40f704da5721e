"""Edge attribution: what patching each edge would do to the metric, by one product of gradients."""

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.interventions.decoder import Decoder
from mitool.analysis.interventions.edges import written
from mitool.analysis.interventions.run import Run
from mitool.analysis.interventions.table import EdgeTable


def written_differences(
    decoder: Decoder, table: EdgeTable, clean: Run, source: Run
) -> Float[Tensor, "writer pair pos d_model"]:
    """What each writer writes in the clean run less what it writes in the source."""
    return torch.stack(
        [written(decoder, clean, node) - written(decoder, source, node) for node in table.writers]
    )


def contracted(
    table: EdgeTable,
    gradients: Float[Tensor, "reader pair pos d_model"],
    differences: Float[Tensor, "writer pair pos d_model"],
) -> Float[Tensor, "reader writer"]:
    """The sum over pairs of each edge's score; 0 where there is no edge."""
    found = gradients.flatten(1) @ differences.flatten(1).T
    return found * table.exists.to(found)
