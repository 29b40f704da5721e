"""Variants of a run, held against the model's own run changed in the same way.

A plain run is held against the model wherever it is made (``interventions.agreement``). Variants
take another way through the parts: they begin in the middle, stand side by side, and compute no
more than a change reaches. So with the first runs of a study they are made for one pair too.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.interventions.agreement import require_same_logits
from mitool.analysis.interventions.edges import EdgeRuns
from mitool.analysis.interventions.graph import Node
from mitool.analysis.interventions.replace import Change, Replacement
from mitool.analysis.interventions.restart import Entry, Restart
from mitool.analysis.interventions.run import Run
from mitool.models.decoder import Decoder
from mitool.models.decoder.original import HeadPatch
from mitool.pairs.prompt_pairs import PromptPairs

HEAD = 0
"""The head of the first layer whose ``z`` is patched."""


@torch.no_grad()
def require_variants_reproduced(
    decoder: Decoder, pairs: PromptPairs, clean: Run, corrupted: Run
) -> None:
    """Check that variants that go on from the middle of a run are the model's own.

    They enter side by side after the attention of the first layer: one with a head's ``z`` of the
    corrupted run, as is put into the model itself by a hook, and one with all of the corrupted
    stream, which ends in the corrupted run's logits.

    Args:
        clean: the run over the pairs' clean inputs, of which the first is looked at; ``corrupted``
            likewise.

    Raises:
        InputError: they are not; the message says what differs.
    """
    pair, clean, corrupted = pairs[:1], clean.first(), corrupted.first()
    positions, z = pair.answer_positions, corrupted.layers[0].z[:, HEAD]
    patched = decoder.original.patched(
        pair.clean.to(decoder.device), positions, [HeadPatch(0, HEAD, z)]
    )
    own = torch.stack([clean.logits if patched is None else patched[0], corrupted.logits])
    entry = _side_by_side(decoder, clean, corrupted, is_patched=patched is not None)
    found = Restart(decoder, clean, positions).logits(entry)
    require_same_logits(decoder, "the corrupted run entered beside others", found[1:], own[1:])
    require_same_logits(decoder, f"{Node('a', 0, HEAD)}, patched", found[:1], own[:1])


def require_edges_reproduced(
    decoder: Decoder, pairs: PromptPairs, clean: Run, corrupted: Run
) -> None:
    """Check that a run along edges is the model's own: where every edge that leaves the input
    carries what the corrupted input is embedded as, and each reader has an input of its own, it
    ends in the corrupted run's logits.

    Args:
        clean: the run over the pairs' clean inputs, of which the first is looked at; ``corrupted``
            likewise.

    Raises:
        InputError: it is not; the message says how far off it is.
    """
    clean, corrupted = clean.first(), corrupted.first()
    found = EdgeRuns(decoder, clean, corrupted, pairs.answer_positions).leaving(Node("input"))
    own = corrupted.logits[None]
    require_same_logits(decoder, "the input patched along all its edges", found, own)


def _side_by_side(decoder: Decoder, clean: Run, corrupted: Run, *, is_patched: bool) -> Entry:
    """The stream after the first layer's attention, once with a head of the corrupted run, or
    where that is not asked for, as it is, and once all of the corrupted run, from the first
    position on that differs.
    """
    source = corrupted if is_patched else clean
    change = Change("z", 0, HEAD, 0, clean.n_positions)
    entry = Replacement(decoder, clean, source).entry([change])
    variants = torch.cat([entry.stream, _stream(corrupted, entry)[None]])
    differs = (variants != _stream(clean, entry)).any(dim=-1).any(dim=1).any(dim=0).nonzero()
    start = int(differs[0]) if len(differs) else 0
    return Entry(entry.layer, entry.stage, start, variants[:, :, start:])


def _stream(run: Run, entry: Entry) -> Float[Tensor, "pair pos d_model"]:
    """A run's own stream where an entry is."""
    return run.resid_pre(entry.layer) if entry.stage == "pre" else run.layers[0].resid_mid
