"""Models whose circuit is known, written as a run."""

import contextlib
from pathlib import Path

from mitool import planted
from mitool.actions.request import Done, Request
from mitool.analysis.interventions.graph import Graph
from mitool.console.terminal import note
from mitool.core.errors import InputError, UsageError
from mitool.core.result import Claim, Result
from mitool.planted.base import PAIRS, TRUTH, Planted
from mitool.storage import atomic, layout, locking


def plant(request: Request, name: str) -> Done[Result]:
    """Write a planted model, with pairs that show its circuit and its true edges.

    Raises:
        UsageError: there is no such model, or the folder holds something else.
    """
    model = planted.plant(name)
    folder = request.out or layout.RUNS / f"planted-{name}"
    _require_no_others(folder)
    metadata = model.metadata
    subject = {"run": str(folder), "task": metadata.task.described()}
    config = {"model": metadata.model, "planted": metadata.training["planted"]}
    result = Result(subject, config, _claims(model))
    with locking.claimed(folder, overwrite=request.overwrite, clear=False):
        note(request.console, f"writing {folder}")
        with locking.replaced(folder) as place:
            artifacts = [folder / path.name for path in model.save(place)]
            envelope = request.envelope(result, artifacts, [])
            atomic.write_json(place / layout.RESULT, envelope)
    return Done(result, folder, envelope)


def _claims(model: Planted) -> dict[str, Claim]:
    cfg = model.model.cfg
    graph = Graph(cfg.n_layers, cfg.n_heads, has_mlp=not cfg.attn_only, is_parallel=False)
    return {
        "circuit": model.summary,
        "n_layers": cfg.n_layers,
        "n_heads": cfg.n_heads,
        "n_edges": sum(1 for _ in graph.edges()),
        "n_true_edges": len(model.truth),
        "truth": list(model.truth),
        "n_pairs": len(model.pairs),
    }


def _require_no_others(folder: Path) -> None:
    """Check that pairs and truth that are there were written here.

    Raises:
        UsageError: they were not.
    """
    with contextlib.suppress(InputError):
        if atomic.read_json(folder / layout.RESULT).get("command") == "plant":
            return
    for path in (folder / PAIRS, folder / TRUTH):
        if path.exists():
            raise UsageError(
                f"{path}: is there already, and was not written by mitool plant; choose another "
                "--out"
            )
