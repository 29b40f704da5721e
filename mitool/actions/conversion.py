"""Where a converted model is written to."""

from pathlib import Path

from mitool.core.errors import UsageError
from mitool.storage import atomic

SUFFIX = ".safetensors"


def file_for(path: Path, out: Path | None, overwrite: bool, ending: str) -> Path:
    """The file to write to, which is not the one that is read.

    Raises:
        UsageError: it is that one, is there already, is a folder, or has another ending.
    """
    default = path.with_suffix(SUFFIX)
    if path.suffix == SUFFIX or ending == "-bridge":
        default = path.with_name(f"{path.stem}{ending}{SUFFIX}")
    target = out or default
    try:
        exists = target.exists()
    except OSError as failure:
        raise UsageError(f"{target}: cannot be written: {failure.strerror}") from None
    if target.suffix != SUFFIX:
        raise UsageError(f"--out: expected a name that ends in {SUFFIX}, found {target}")
    is_source = _is_same(target, path)
    if target.is_dir() or is_source:
        what = "the file that is read" if is_source else "a folder"
        raise UsageError(f"--out: expected a file to write to, found {what}, {target}")
    if exists and not overwrite:
        raise UsageError(
            f"{target}: is there already; replace it with --overwrite, or choose another --out"
        )
    atomic.require_writable(target.parent)
    atomic.remove_leftovers(target)
    return target


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False
