"""The folder of a model that is given by its name on the Hugging Face Hub."""

from collections.abc import Iterable
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download

from mitool.core.errors import InputError, said
from mitool.models import hub_files

SECONDS = 10
"""After which the Hub counts as out of reach."""

TEXTS = (".json", ".txt", ".model", ".tiktoken", ".bpe")
"""What the files beside the weights end in."""


def folder_on_hub(name: str) -> Path:
    """A model's folder in the cache of the Hub; what is not there yet is downloaded.

    Raises:
        InputError: there is no such model, or the Hub is out of reach.
    """
    cached = _cached(name)
    if cached is not None:
        return cached
    try:
        listed = HfApi().model_info(name, timeout=SECONDS).siblings or []
        wanted = _wanted(file.rfilename for file in listed)
        return Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as failure:  # whatever the network is up to
        raise InputError(
            f"{name}: no such file or folder, and no model of that name could be had from the "
            f"Hugging Face Hub ({said(failure)}); where there is a network, `hf download {name} "
            "--local-dir DIR`, and give DIR"
        ) from failure


def _cached(name: str) -> Path | None:
    """The model's folder, if it was downloaded whole."""
    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except Exception:  # it says in several ways that there is none
        return None
    is_whole = (folder / hub_files.CONFIG).exists() and any(
        (folder / file).exists() for file in hub_files.WEIGHTS
    )
    return folder if is_whole else None


def _wanted(names: Iterable[str]) -> list[str]:
    """Of the files of a model those that are read: one kind of weights, and texts."""
    top = [name for name in names if "/" not in name]
    weights = next((name for name in hub_files.WEIGHTS if name in top), "")
    shards = []
    if weights.endswith(".index.json"):
        stem, ending = weights.removesuffix(".index.json").split(".")
        shards = [name for name in top if name.startswith(f"{stem}-") and name.endswith(ending)]
    return [
        *(name for name in top if name.endswith(TEXTS) or name in (weights, *hub_files.ADAPTERS)),
        *shards,
    ]
