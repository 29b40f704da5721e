"""What a shell completes, where typer does not know it; nothing here is slow to load."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mitool.storage import layout

RUNS_BELOW = ("*", "*/*", f"{layout.POINTS}/*", f"*/{layout.POINTS}/*")
"""Where runs lie in a folder of runs: there, in one of seeds, and in a sweep."""


def one_of(names: Sequence[str]) -> Callable[[], list[str]]:
    """A completer of these names."""
    return lambda: list(names)


def complete_runs(incomplete: str) -> list[str]:
    """Runs and checkpoints whose path begins like this: of this folder and of runs/, or else of the
    folder that is typed. Where there are none, the shell completes paths by itself.
    """
    head, slash, _ = incomplete.rpartition("/")
    typed = f"{head}{slash}"
    with contextlib.suppress(OSError):
        found = _below(Path(typed)) if slash else [*_here(), *_below(layout.RUNS)]
        base = Path(typed)
        names = (typed + str(path.relative_to(base)) for path in found)
        return sorted({name for name in names if name.startswith(incomplete)})
    return []


def _here() -> Iterator[Path]:
    yield from Path().glob("*.safetensors")
    yield from (path.parent for path in Path().glob(f"*/{layout.CHECKPOINT}"))


def _below(folder: Path) -> Iterator[Path]:
    for where in RUNS_BELOW:
        yield from (path.parent for path in folder.glob(f"{where}/{layout.CHECKPOINT}"))
    for where in ("*.safetensors", f"{layout.TRAJECTORY}/*.safetensors"):
        yield from folder.glob(where)
