"""An adapter of peft's that lies beside a model, added to its weights."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from mitool.core.errors import InputError, MitoolError, first_few, said
from mitool.core.memory import is_out_of_memory
from mitool.models import hub_files
from mitool.models.pretrained.weight_files import opened_weights

MERGE = "merge it into its base model with peft's merge_and_unload(), and give that, saved"


def is_beside(folder: Path) -> bool:
    """Whether the folder has an adapter."""
    return (folder / hub_files.ADAPTER_CONFIG).exists()


def require_base(folder: Path) -> None:
    """Refuse an adapter without the model that it changes.

    Raises:
        InputError: the folder holds such a one.
    """
    if is_beside(folder) and not (folder / hub_files.CONFIG).exists():
        base = _settings(folder).get("base_model_name_or_path")
        which = f"{base!r}"[:80] if isinstance(base, str) and base else "which it does not name"
        raise InputError(
            f"{folder}: expected a whole model, found an adapter alone "
            f"({hub_files.ADAPTER_CONFIG}), which changes a base model, {which}; {MERGE}"
        )


def merged(folder: Path, model: PreTrainedModel) -> tuple[PreTrainedModel, str]:
    """The model with the adapter's changes in its weights, and what a user is to know of that.

    Raises:
        InputError: peft is not installed or does not read it, or it is not the model's.
    """
    try:
        from peft import PeftModel, get_peft_model_state_dict
    except ImportError as failure:
        raise InputError(
            f"{folder}: expected a model alone, found an adapter beside it "
            f"({hub_files.ADAPTER_CONFIG}), which peft reads; pip install 'mitool[peft]', or "
            f"remove {hub_files.ADAPTER_CONFIG} to study the model without it"
        ) from failure
    settings = _settings(folder)
    try:
        adapted = PeftModel.from_pretrained(model, str(folder), local_files_only=True)
        _require_all(folder, get_peft_model_state_dict(adapted))
        whole = adapted.merge_and_unload()
    except MitoolError:
        raise
    except Exception as failure:  # each kind of adapter fails in its own way
        if is_out_of_memory(failure):
            raise
        raise InputError(
            f"{folder}: expected an adapter of the model beside it; peft finds: {said(failure)}; "
            f"{MERGE}"
        ) from failure
    kind = settings.get("peft_type", "of an unnamed kind")
    return whole, f"the adapter beside the model ({kind}) was merged into its weights"


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / hub_files.ADAPTER_CONFIG
    found = hub_files.read_json(path, "the settings of an adapter, a JSON document")
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object, found another value; restore the file")
    return found


def _require_all(folder: Path, used: dict[str, Any]) -> None:
    """Check that the adapter's weights in use are those of its file, all of them and no others.

    Raises:
        InputError: they are not.
    """
    name = next((n for n in hub_files.ADAPTERS if (folder / n).exists()), hub_files.ADAPTERS[0])
    with opened_weights(folder, name) as stored:
        shapes = {name: held.shape for name, held in stored.items()}
    own = {name: tuple(held.shape) for name, held in used.items()}
    if odd := sorted(name for name, _ in shapes.items() ^ own.items()):
        raise InputError(
            f"{folder}: expected the weights of the adapter to be those that its settings and the "
            f"model call for, found others ({first_few(list(dict.fromkeys(odd)))}); {MERGE}"
        )
