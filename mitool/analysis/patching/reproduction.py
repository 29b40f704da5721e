"""Variants of a run, many at once, held against the model's own run changed in the same way.

A plain run is held against the model wherever it is made (``interventions.agreement``). Variants
take another way through the parts: they begin in the middle, stand side by side, and compute no
more than a change reaches. So before a study two kinds of them are made and compared: the corrupted
inputs entered as variants of the clean run, and a head's ``z`` of the corrupted run put into the
clean one, in several layers, as is done to the model itself by hooks. Where edges are studied, all
of them at once carry the corrupted run, and none.
"""

import torch

from mitool.analysis.interventions.agreement import require_same_logits
from mitool.analysis.interventions.edges import EdgeRuns, Kept
from mitool.analysis.interventions.material import Material
from mitool.analysis.interventions.restart import Entry, Restart
from mitool.analysis.interventions.run import Run, run
from mitool.analysis.patching.replace import Change, Replacement
from mitool.models.decoder.decoder import COMPARED
from mitool.models.decoder.original import HeadPatch
from mitool.pairs import PromptPairs

MOST_LAYERS = 2
"""Layers in which a head's ``z`` is patched, from the first to the last."""


@torch.no_grad()
def require_reproduced(material: Material, *, edges: bool = False) -> None:
    """Check that variants of runs over the first pairs are what the model itself makes of them.

    Args:
        edges: whether readers with inputs of their own are looked at too.

    Raises:
        InputError: they are not; the message says what differs.
    """
    decoder, pairs = material.decoder, material.groups[0][:COMPARED]
    tokens = (side.to(decoder.device) for side in (pairs.clean, pairs.corrupted))
    clean, corrupted = (run(decoder, side, pairs.answer_positions) for side in tokens)
    restart = Restart(decoder, clean, pairs.answer_positions)
    both = torch.stack([clean.read.resid_pre, corrupted.read.resid_pre])
    found, own = restart.logits(Entry(0, "pre", 0, both)), [clean.logits, corrupted.logits]
    require_same_logits(decoder, "a run of several inputs side by side", found, torch.stack(own))
    _require_heads(material, pairs, restart, corrupted)
    if edges:
        runs = EdgeRuns(decoder, clean, corrupted, pairs.answer_positions)
        every = runs.table.exists[..., None]
        found = runs.logits(Kept(torch.stack([every, torch.zeros_like(every)])))
        require_same_logits(decoder, "a run with edges patched", found, torch.stack(own))


def _require_heads(
    material: Material, pairs: PromptPairs, restart: Restart, corrupted: Run
) -> None:
    """Check patches of heads in several layers."""
    decoder, n = material.decoder, corrupted.n_positions
    step = max(1, -(-decoder.n_layers // MOST_LAYERS))
    changes = [
        Change("z", layer, layer % decoder.n_heads, 0, n)
        for layer in reversed(range(decoder.n_layers - 1, -1, -step))
    ]
    patches = [
        HeadPatch(change.layer, head, corrupted.layers[change.layer].z[:, head])
        for change in changes
        if (head := change.head) is not None
    ]
    tokens = pairs.clean.to(decoder.device)
    own = decoder.original.patched(tokens, pairs.answer_positions, patches)
    if own is None:
        return
    replacement = Replacement(decoder, restart.base, corrupted)
    for change, logits in zip(changes, own, strict=True):
        found = restart.logits(replacement.entry([change, change]))
        require_same_logits(
            decoder,
            f"layer {change.layer}, head {change.head}, patched",
            found,
            logits.expand_as(found),
        )
